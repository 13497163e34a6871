//! State and history in SQLite.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use portwatch_domain::change::HostRecord;
use portwatch_domain::target::{Target, TargetId};
use rusqlite::{OptionalExtension, Transaction, params};

mod finish;
mod state;

use super::rows::select;
use super::{Problem, Sqlite, history, outbox, requests, rows};
use crate::StoreError;
use crate::columns::{assemble, number};
use crate::snapshots::delta;
use crate::snapshots::{Applied, Decide, Loaded, SnapshotPart, Snapshots};

#[async_trait]
impl Snapshots for Sqlite {
    async fn apply_snapshot(
        &self,
        part: SnapshotPart,
        decide: Decide,
    ) -> Result<Applied, StoreError> {
        self.transaction("applying a snapshot", move |transaction| {
            apply(transaction, &part, decide)
        })
        .await
    }

    async fn hosts(&self, target: TargetId) -> Result<Vec<HostRecord>, StoreError> {
        self.transaction("reading hosts", move |transaction| {
            let hosts = select(
                transaction,
                "SELECT * FROM hosts WHERE target_id = ?1",
                [target.0.as_bytes()],
                rows::host,
            )?;
            let ports = select(
                transaction,
                "SELECT * FROM ports WHERE target_id = ?1",
                [target.0.as_bytes()],
                rows::port,
            )?;
            Ok(assemble(hosts, &ports)?.into_values().collect())
        })
        .await
    }
}

fn apply(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    decide: Decide,
) -> Result<Applied, Problem> {
    let now = part.now.as_microsecond();
    let Some((target, newest_run)) = find(transaction, part.target)? else {
        return Ok(Applied::NoTarget);
    };
    let new = transaction
        .prepare_cached(
            "INSERT INTO inbox (job_id, part, received_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![part.job.0.as_bytes(), part.part, now])?;
    if new == 0 {
        return Ok(Applied::Duplicate);
    }
    let stored = load(transaction, part.target, &part.hosts)?;
    let hosts = delta::in_order(&stored, &part.hosts);
    let loaded = Loaded {
        target,
        newest_run,
        hosts,
    };
    let decided = delta::decide(decide, loaded).map_err(Problem::Refused)?;
    let delta = delta::delta(&stored, &part.hosts, &decided.hosts).map_err(Problem::Refused)?;
    state::save(transaction, part.target, &delta)?;
    history::save(transaction, &delta::history(part, decided.history))?;
    outbox::save(transaction, &decided.outbox, now)?;
    requests::save(transaction, &decided.requests)?;
    finish::finish(transaction, part, now)?;
    Ok(Applied::Applied)
}

/// The target with its newest run.
pub(super) fn find(
    transaction: &Transaction<'_>,
    target: TargetId,
) -> Result<Option<(Target, u64)>, Problem> {
    let sql = format!("SELECT {}, run FROM targets WHERE id = ?1", rows::TARGET);
    let found = transaction
        .prepare_cached(&sql)?
        .query_row([target.0.as_bytes()], |row| {
            Ok((rows::target(row)?, row.get::<_, i64>("run")?))
        })
        .optional()?;
    let Some((columns, run)) = found else {
        return Ok(None);
    };
    Ok(Some((columns.target()?, number("run", run)?)))
}

fn load(
    transaction: &Transaction<'_>,
    target: TargetId,
    asked: &[IpAddr],
) -> Result<BTreeMap<IpAddr, HostRecord>, Problem> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for ip in asked {
        let key = params![target.0.as_bytes(), ip.to_string()];
        hosts.extend(select(
            transaction,
            "SELECT * FROM hosts WHERE target_id = ?1 AND ip = ?2",
            key,
            rows::host,
        )?);
        ports.extend(select(
            transaction,
            "SELECT * FROM ports WHERE target_id = ?1 AND ip = ?2",
            key,
            rows::port,
        )?);
    }
    Ok(assemble(hosts, &ports)?)
}
