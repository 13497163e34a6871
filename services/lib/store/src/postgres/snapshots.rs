//! Applies snapshots in PostgreSQL. A part takes the same few statements however many ports it has.

use std::net::IpAddr;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use portwatch_domain::change::HostRecord;
use portwatch_domain::target::{Target, TargetId};
use tokio_postgres::Row;

mod history;
mod state;

use super::{Postgres, Problem, outbox, rows};
use crate::StoreError;
use crate::columns::{ChangeColumns, assemble, cut, number};
use crate::snapshots::delta;
use crate::snapshots::{Applied, Decide, HistoryRow, Loaded, SnapshotPart, Snapshots};

#[async_trait]
impl Snapshots for Postgres {
    async fn apply_snapshot(
        &self,
        part: SnapshotPart,
        decide: Decide,
    ) -> Result<Applied, StoreError> {
        let tried = "applying a snapshot";
        let store = self.clone();
        // The decision can be made once only, so this is not begun again here.
        super::on_its_own(tried, async move {
            let applied = once!(store, tried, |transaction| {
                apply(transaction, &part, decide).await
            });
            applied.map_err(|problem| problem.because(tried))
        })
        .await
    }

    async fn hosts(&self, target: TargetId) -> Result<Vec<HostRecord>, StoreError> {
        transaction!(self, "reading hosts", |transaction| {
            let hosts = transaction
                .prepare_cached("SELECT * FROM hosts WHERE target_id = $1")
                .await?;
            let ports = format!("SELECT {} FROM ports WHERE target_id = $1", rows::PORT);
            let ports = transaction.prepare_cached(&ports).await?;
            let hosts = transaction.query(&hosts, &[&target.0]).await?;
            let ports = transaction.query(&ports, &[&target.0]).await?;
            let hosts = hosts.iter().map(rows::host).collect::<Result<_, _>>()?;
            let ports: Vec<_> = ports.iter().map(rows::port).collect::<Result<_, _>>()?;
            Ok(assemble(hosts, &ports)?.into_values().collect())
        })
    }

    async fn history(&self, target: TargetId, limit: u32) -> Result<Vec<HistoryRow>, StoreError> {
        transaction!(self, "reading the history", |transaction| {
            let select = transaction
                .prepare_cached(
                    "SELECT * FROM history WHERE target_id = $1 ORDER BY at DESC, seq DESC LIMIT $2",
                )
                .await?;
            let found = transaction
                .query(&select, &[&target.0, &i64::from(limit)])
                .await?;
            found
                .iter()
                .map(|row| Ok(history::change(row)?.row()?))
                .collect()
        })
    }
}

async fn apply(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    decide: Decide,
) -> Result<Applied, Problem> {
    let Some((target, newest_run)) = lock(transaction, part.target).await? else {
        return Ok(Applied::NoTarget);
    };
    let now = cut(part.now);
    if !is_new(transaction, part, now).await? {
        return Ok(Applied::Duplicate);
    }
    let ports = format!(
        "SELECT {} FROM ports WHERE target_id = $1 AND ip = ANY($2)",
        rows::PORT
    );
    let (hosts, ports) = tokio::try_join!(
        of_hosts(
            transaction,
            "SELECT * FROM hosts WHERE target_id = $1 AND ip = ANY($2)",
            part,
            rows::host
        ),
        of_hosts(transaction, &ports, part, rows::port)
    )?;
    let stored = assemble(hosts, &ports)?;
    let hosts = delta::in_order(&stored, &part.hosts);
    let loaded = Loaded {
        target,
        newest_run,
        hosts,
    };
    let decided = delta::decide(decide, loaded).map_err(Problem::Refused)?;
    let delta = delta::delta(&stored, &part.hosts, &decided.hosts).map_err(Problem::Refused)?;
    state::save(transaction, part.target, &delta).await?;
    let changes = decided.history.iter();
    let changes: Vec<_> = changes
        .map(|(ip, change)| ChangeColumns::new(*ip, change, part.job))
        .collect();
    history::save(transaction, part.target, &changes).await?;
    outbox::save(transaction, &decided.outbox, now).await?;
    finish(transaction, part, now).await?;
    Ok(Applied::Applied)
}

/// Reads the target with its newest run, and keeps every other part of it waiting until the
/// transaction ends.
async fn lock(
    transaction: &Transaction<'_>,
    target: TargetId,
) -> Result<Option<(Target, u64)>, Problem> {
    let sql = format!(
        "SELECT {}, t.run FROM targets t WHERE id = $1 FOR NO KEY UPDATE",
        rows::TARGET
    );
    let select = transaction.prepare_cached(&sql).await?;
    let Some(found) = transaction.query_opt(&select, &[&target.0]).await? else {
        return Ok(None);
    };
    let newest_run = number("run", found.try_get("run")?)?;
    Ok(Some((rows::target(&found)?.target()?, newest_run)))
}

async fn is_new(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    now: Timestamp,
) -> Result<bool, Problem> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO inbox (job_id, part, received_at) VALUES ($1, $2::bigint, $3) \
             ON CONFLICT DO NOTHING",
        )
        .await?;
    let new = transaction
        .execute(&insert, &[&part.job.0, &i64::from(part.part), &now])
        .await?;
    Ok(new == 1)
}

async fn of_hosts<T>(
    transaction: &Transaction<'_>,
    sql: &str,
    part: &SnapshotPart,
    read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
) -> Result<Vec<T>, Problem> {
    let asked: &[IpAddr] = &part.hosts;
    let select = transaction.prepare_cached(sql).await?;
    let found = transaction
        .query(&select, &[&part.target.0, &asked])
        .await?;
    Ok(found.iter().map(read).collect::<Result<_, _>>()?)
}

/// Counts the part, and when all are in the job is finished; when no other job of the target is
/// out, the target may be claimed again.
async fn finish(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    now: Timestamp,
) -> Result<(), Problem> {
    let count = transaction
        .prepare_cached(
            "UPDATE jobs SET parts_in = parts_in + 1, \
             finished_at = CASE WHEN parts_in + 1 = parts THEN $3::timestamptz END \
             WHERE id = $1 AND $2::bigint < parts AND finished_at IS NULL \
             RETURNING finished_at IS NOT NULL",
        )
        .await?;
    let counted = transaction
        .query_opt(&count, &[&part.job.0, &i64::from(part.part), &now])
        .await?;
    let finished = counted.map(|row| row.try_get::<_, bool>(0)).transpose()?;
    if finished == Some(true) {
        let free = transaction
            .prepare_cached(
                "UPDATE targets SET busy_until = NULL WHERE id = $1 AND NOT EXISTS \
                 (SELECT FROM jobs WHERE target_id = $1 AND finished_at IS NULL AND deadline > $2)",
            )
            .await?;
        transaction.execute(&free, &[&part.target.0, &now]).await?;
    }
    Ok(())
}
