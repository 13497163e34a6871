//! Writes hosts and ports.

use portwatch_domain::target::TargetId;
use rusqlite::{Transaction, named_params, params};

use super::super::Problem;
use crate::columns::{HostColumns, PortColumns};
use crate::snapshots::delta::Delta;

pub(super) fn save(
    transaction: &Transaction<'_>,
    target: TargetId,
    delta: &Delta,
) -> Result<(), Problem> {
    for host in &delta.hosts {
        save_host(transaction, target, host)?;
    }
    for port in &delta.ports {
        save_port(transaction, target, port)?;
    }
    let mut delete = transaction.prepare_cached(
        "DELETE FROM ports WHERE target_id = ?1 AND ip = ?2 AND protocol = ?3 AND port = ?4",
    )?;
    for (ip, port) in &delta.gone {
        let protocol = port.protocol.as_str();
        delete.execute(params![
            target.0.as_bytes(),
            ip.to_string(),
            protocol,
            port.number
        ])?;
    }
    Ok(())
}

/// What is approved is not among the columns: it is written by nobody but who approves.
fn save_host(
    transaction: &Transaction<'_>,
    target: TargetId,
    host: &HostColumns,
) -> Result<(), Problem> {
    let sql = "INSERT INTO hosts (target_id, ip, name, state, suspect, since, last_seen, last_run, \
         transition, baseline, confirmed_at, left_behind, soft, flapping, runs, unexpected_open, \
         expected_closed, open_ports) VALUES (:target, :ip, :name, :state, :suspect, :since, :last_seen, \
         :last_run, :transition, :baseline, :confirmed_at, :left_behind, :soft, :flapping, :runs, \
         :unexpected_open, :expected_closed, :open_ports) ON CONFLICT DO UPDATE SET name = excluded.name, \
         state = excluded.state, suspect = excluded.suspect, since = excluded.since, \
         last_seen = excluded.last_seen, last_run = excluded.last_run, \
         transition = excluded.transition, baseline = excluded.baseline, \
         confirmed_at = excluded.confirmed_at, left_behind = excluded.left_behind, \
         soft = excluded.soft, flapping = excluded.flapping, runs = excluded.runs, \
         unexpected_open = excluded.unexpected_open, expected_closed = excluded.expected_closed, \
         open_ports = excluded.open_ports";
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":target": target.0.as_bytes(),
        ":ip": host.ip.to_string(),
        ":name": host.name,
        ":state": host.state,
        ":suspect": host.suspect,
        ":since": host.since.map(jiff::Timestamp::as_microsecond),
        ":last_seen": host.last_seen.map(jiff::Timestamp::as_microsecond),
        ":last_run": host.last_run,
        ":transition": host.transition,
        ":baseline": host.baseline,
        ":confirmed_at": host.confirmed_at.map(jiff::Timestamp::as_microsecond),
        ":left_behind": host.left_behind,
        ":soft": host.soft,
        ":flapping": host.flapping,
        ":runs": host.runs,
        ":unexpected_open": host.unexpected_open,
        ":expected_closed": host.expected_closed,
        ":open_ports": host.open_ports,
    })?;
    Ok(())
}

fn save_port(
    transaction: &Transaction<'_>,
    target: TargetId,
    port: &PortColumns,
) -> Result<(), Problem> {
    let sql = "INSERT INTO ports (target_id, ip, protocol, port, state, since, first_seen, last_seen, \
         transition, answer, ttl, rtt_us, probes, service, soft, flapping) VALUES (:target, :ip, :protocol, \
         :port, :state, :since, :first_seen, :last_seen, :transition, :answer, :ttl, :rtt_us, :probes, \
         :service, :soft, :flapping) \
         ON CONFLICT DO UPDATE SET state = excluded.state, since = excluded.since, \
         first_seen = excluded.first_seen, last_seen = excluded.last_seen, \
         transition = excluded.transition, answer = excluded.answer, ttl = excluded.ttl, \
         rtt_us = excluded.rtt_us, probes = excluded.probes, service = excluded.service, \
         soft = excluded.soft, flapping = excluded.flapping";
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":target": target.0.as_bytes(),
        ":ip": port.ip.to_string(),
        ":protocol": port.protocol,
        ":port": port.port,
        ":state": port.state,
        ":since": port.since.as_microsecond(),
        ":first_seen": port.first_seen.as_microsecond(),
        ":last_seen": port.last_seen.as_microsecond(),
        ":transition": port.transition,
        ":answer": port.evidence.answer,
        ":ttl": port.evidence.ttl,
        ":rtt_us": port.evidence.rtt_us,
        ":probes": port.evidence.probes,
        ":service": port.service,
        ":soft": port.soft,
        ":flapping": port.flapping,
    })?;
    Ok(())
}
