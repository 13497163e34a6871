//! Writes hosts and ports, all rows of a part in one statement each.

use std::collections::BTreeSet;
use std::net::IpAddr;

use deadpool_postgres::Transaction;
use portwatch_domain::change::HostRecord;
use portwatch_domain::target::TargetId;

use super::super::Problem;
use crate::columns::packed::pack;
use crate::columns::{HostColumns, PortColumns};
use crate::snapshots::delta::Delta;

/// What is approved is not among the columns: it is written by nobody but who approves.
const SAVE_HOSTS: &str = "INSERT INTO hosts (target_id, ip, name, state, suspect, since, last_seen, \
     last_run, transition, baseline, confirmed_at, left_behind, soft, flapping, runs, unexpected_open, \
     expected_closed, open_ports) SELECT $1, r.* FROM unnest($2::inet[], $3::text[], $4::text[], \
     $5::boolean[], $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::bigint[], $10::text[], \
     $11::timestamptz[], $12::text[], $13::text[], $14::integer[], $15::text[], $16::integer[], \
     $17::integer[], $18::integer[]) r ON CONFLICT (target_id, ip) DO UPDATE SET \
     name = excluded.name, state = excluded.state, suspect = excluded.suspect, since = excluded.since, \
     last_seen = excluded.last_seen, last_run = excluded.last_run, transition = excluded.transition, \
     baseline = excluded.baseline, confirmed_at = excluded.confirmed_at, \
     left_behind = excluded.left_behind, soft = excluded.soft, flapping = excluded.flapping, \
     runs = excluded.runs, unexpected_open = excluded.unexpected_open, \
     expected_closed = excluded.expected_closed, open_ports = excluded.open_ports";

const SAVE_PORTS: &str = "INSERT INTO ports (target_id, ip, protocol, port, state, since, \
     first_seen, last_seen, transition, answer, ttl, rtt_us, probes, service, soft, flapping) \
     SELECT $1, r.* FROM unnest($2::inet[], $3::text[], $4::integer[], $5::text[], $6::timestamptz[], \
     $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::text[], $11::smallint[], \
     $12::bigint[], $13::integer[], $14::text[], $15::text[], $16::integer[]) r \
     ON CONFLICT (target_id, ip, protocol, port) DO UPDATE SET state = excluded.state, \
     since = excluded.since, first_seen = excluded.first_seen, last_seen = excluded.last_seen, \
     transition = excluded.transition, answer = excluded.answer, ttl = excluded.ttl, \
     rtt_us = excluded.rtt_us, probes = excluded.probes, service = excluded.service, \
     soft = excluded.soft, flapping = excluded.flapping";

const DELETE_PORTS: &str = "DELETE FROM ports WHERE target_id = $1 AND ip = ANY($2) \
     AND (ip, protocol, port) IN \
     (SELECT * FROM unnest($2::inet[], $3::text[], $4::integer[]))";

const SAVE_COPIES: &str = "INSERT INTO packed_ports (target_id, ip, packed) \
     SELECT $1, r.* FROM unnest($2::inet[], $3::bytea[]) r \
     ON CONFLICT (target_id, ip) DO UPDATE SET packed = excluded.packed";

pub(super) async fn save(
    transaction: &Transaction<'_>,
    target: TargetId,
    delta: &Delta,
) -> Result<(), Problem> {
    if !delta.hosts.is_empty() {
        save_hosts(transaction, target, &delta.hosts).await?;
    }
    if !delta.ports.is_empty() {
        save_ports(transaction, target, &delta.ports).await?;
    }
    if !delta.gone.is_empty() {
        let ips: Vec<IpAddr> = delta.gone.iter().map(|&(ip, _)| ip).collect();
        let ports = delta.gone.iter().map(|(_, port)| port);
        let protocols: Vec<_> = ports.clone().map(|port| port.protocol.as_str()).collect();
        let numbers: Vec<_> = ports.map(|port| i32::from(port.number)).collect();
        let delete = transaction.prepare_cached(DELETE_PORTS).await?;
        transaction
            .execute(&delete, &[&target.0, &ips, &protocols, &numbers])
            .await?;
    }
    Ok(())
}

/// The copies to write, of hosts whose ports are written or had no copy.
pub(super) fn copies(
    decided: &[HostRecord],
    delta: &Delta,
    uncopied: &BTreeSet<IpAddr>,
) -> Vec<(IpAddr, Vec<u8>)> {
    let written = delta.ports.iter().map(|port| port.ip);
    let gone = delta.gone.iter().map(|&(ip, _)| ip);
    let dropped: BTreeSet<_> = written.chain(gone).collect();
    let lacking = |host: &&HostRecord| dropped.contains(&host.ip) || uncopied.contains(&host.ip);
    let hosts = decided.iter().filter(lacking);
    hosts.map(|host| (host.ip, pack(&host.ports))).collect()
}

/// Writes copies of hosts' ports, after their rows: writing those drops them.
pub(super) async fn save_copies(
    transaction: &Transaction<'_>,
    target: TargetId,
    copies: &[(IpAddr, Vec<u8>)],
) -> Result<(), Problem> {
    if copies.is_empty() {
        return Ok(());
    }
    let save = transaction.prepare_cached(SAVE_COPIES).await?;
    let ips = column(copies, |(ip, _)| ip);
    let packed = column(copies, |(_, packed)| packed);
    transaction
        .execute(&save, &[&target.0, &ips, &packed])
        .await?;
    Ok(())
}

/// One column of many rows.
fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

async fn save_hosts(
    transaction: &Transaction<'_>,
    target: TargetId,
    hosts: &[HostColumns],
) -> Result<(), Problem> {
    let save = transaction.prepare_cached(SAVE_HOSTS).await?;
    transaction
        .execute(
            &save,
            &[
                &target.0,
                &column(hosts, |host| host.ip),
                &column(hosts, |host| &host.name),
                &column(hosts, |host| &host.state),
                &column(hosts, |host| host.suspect),
                &column(hosts, |host| host.since),
                &column(hosts, |host| host.last_seen),
                &column(hosts, |host| host.last_run),
                &column(hosts, |host| host.transition),
                &column(hosts, |host| &host.baseline),
                &column(hosts, |host| host.confirmed_at),
                &column(hosts, |host| &host.left_behind),
                &column(hosts, |host| host.soft.as_deref()),
                &column(hosts, |host| host.flapping),
                &column(hosts, |host| host.runs.as_deref()),
                &column(hosts, |host| host.unexpected_open),
                &column(hosts, |host| host.expected_closed),
                &column(hosts, |host| host.open_ports),
            ],
        )
        .await?;
    Ok(())
}

async fn save_ports(
    transaction: &Transaction<'_>,
    target: TargetId,
    ports: &[PortColumns],
) -> Result<(), Problem> {
    let save = transaction.prepare_cached(SAVE_PORTS).await?;
    transaction
        .execute(
            &save,
            &[
                &target.0,
                &column(ports, |port| port.ip),
                &column(ports, |port| &port.protocol),
                &column(ports, |port| port.port),
                &column(ports, |port| &port.state),
                &column(ports, |port| port.since),
                &column(ports, |port| port.first_seen),
                &column(ports, |port| port.last_seen),
                &column(ports, |port| port.transition),
                &column(ports, |port| &port.evidence.answer),
                &column(ports, |port| port.evidence.ttl),
                &column(ports, |port| port.evidence.rtt_us),
                &column(ports, |port| port.evidence.probes),
                &column(ports, |port| port.service.as_deref()),
                &column(ports, |port| port.soft.as_deref()),
                &column(ports, |port| port.flapping),
            ],
        )
        .await?;
    Ok(())
}
