//! Reads what a decision starts from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use deadpool_postgres::Transaction;
use futures_util::future::try_join4;
use jiff::Timestamp;
use portwatch_domain::change::HostRecord;
use portwatch_domain::target::Target;
use tokio_postgres::Row;

use super::super::{Problem, rows};
use crate::columns::packed::unpack;
use crate::columns::{Ports, assemble_from, by_host, number};
use crate::snapshots::SnapshotPart;

/// What there is to decide on.
pub(super) enum Found {
    NoTarget,
    Duplicate,
    New(Box<Stored>),
}

pub(super) struct Stored {
    pub(super) target: Target,
    pub(super) newest_run: u64,
    pub(super) hosts: BTreeMap<IpAddr, HostRecord>,
    /// Those of the hosts asked for of whose ports there is no copy.
    pub(super) uncopied: BTreeSet<IpAddr>,
}

/// Reads the target with its newest run, and keeps every other part of it waiting until the transaction ends.
pub(super) fn lock() -> String {
    format!(
        "SELECT {}, t.run FROM targets t WHERE id = $1 FOR NO KEY UPDATE",
        rows::TARGET
    )
}

/// What [`lock`] found.
pub(super) fn locked(found: &Row) -> Result<(Target, u64), Problem> {
    let newest_run = number("run", found.try_get("run")?)?;
    Ok((rows::target(found)?.target()?, newest_run))
}

const NOTE: &str = "INSERT INTO inbox (job_id, part, received_at) SELECT $1, $2::bigint, $3 \
     WHERE EXISTS (SELECT FROM targets WHERE id = $4) ON CONFLICT DO NOTHING";

const PACKED: &str = "SELECT ip, packed FROM packed_ports WHERE target_id = $1 AND ip = ANY($2)";

/// Locks the target, takes note of the part, and reads its hosts, in one round trip: each statement sees what was
/// committed before it began, and the server begins it when the one before it has ended.
pub(super) async fn load(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    now: Timestamp,
) -> Result<Found, Problem> {
    let hosts = format!(
        "SELECT {} FROM hosts WHERE target_id = $1 AND ip = ANY($2)",
        rows::HOST
    );
    // All are prepared first: one that is not would go out behind the others.
    let lock = transaction.prepare_cached(&lock()).await?;
    let note = transaction.prepare_cached(NOTE).await?;
    let hosts = transaction.prepare_cached(&hosts).await?;
    let packed = transaction.prepare_cached(PACKED).await?;
    let asked: &[IpAddr] = &part.hosts;
    let (target, noted, hosts, packed) = try_join4(
        transaction.query_opt(&lock, &[&part.target.0]),
        transaction.execute(
            &note,
            &[&part.job.0, &i64::from(part.part), &now, &part.target.0],
        ),
        transaction.query(&hosts, &[&part.target.0, &asked]),
        transaction.query(&packed, &[&part.target.0, &asked]),
    )
    .await?;
    let Some(target) = target else {
        return Ok(Found::NoTarget);
    };
    if noted == 0 {
        return Ok(Found::Duplicate);
    }
    let (target, newest_run) = locked(&target)?;
    let hosts = hosts.iter().map(rows::host).collect::<Result<_, _>>()?;
    let mut ports = copies(&packed)?;
    let asked = part.hosts.iter().copied();
    let uncopied: BTreeSet<_> = asked.filter(|ip| !ports.contains_key(ip)).collect();
    if !uncopied.is_empty() {
        ports.extend(from_rows(transaction, part, &uncopied).await?);
    }
    Ok(Found::New(Box::new(Stored {
        target,
        newest_run,
        hosts: assemble_from(hosts, ports)?,
        uncopied,
    })))
}

/// The copies that can be read.
fn copies(packed: &[Row]) -> Result<BTreeMap<IpAddr, Ports>, Problem> {
    let mut copies = BTreeMap::new();
    for row in packed {
        if let Some(ports) = unpack(row.try_get(1)?) {
            copies.insert(row.try_get(0)?, ports);
        }
    }
    Ok(copies)
}

async fn from_rows(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    hosts: &BTreeSet<IpAddr>,
) -> Result<BTreeMap<IpAddr, Ports>, Problem> {
    let select = format!(
        "SELECT {} FROM ports WHERE target_id = $1 AND ip = ANY($2)",
        rows::PORT
    );
    let select = transaction.prepare_cached(&select).await?;
    let hosts: Vec<_> = hosts.iter().collect();
    let found = transaction
        .query(&select, &[&part.target.0, &hosts])
        .await?;
    let found: Vec<_> = found.iter().map(rows::port).collect::<Result<_, _>>()?;
    Ok(by_host(&found)?)
}
