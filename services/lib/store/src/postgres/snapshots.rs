//! Applies snapshots in PostgreSQL. A part takes the same few statements however many ports it has.

use std::net::IpAddr;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use portwatch_domain::change::HostRecord;
use portwatch_domain::target::{Target, TargetId};
use tokio_postgres::Row;

mod finish;
mod state;

use super::{Postgres, Problem, history, outbox, requests, rows};
use crate::StoreError;
use crate::columns::{assemble, cut, number};
use crate::snapshots::delta;
use crate::snapshots::{Applied, Decide, Loaded, SnapshotPart, Snapshots};

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
    history::save(transaction, &delta::history(part, decided.history)).await?;
    outbox::save(transaction, &decided.outbox, now).await?;
    requests::save(transaction, &decided.requests).await?;
    finish::finish(transaction, part, now).await?;
    Ok(Applied::Applied)
}

/// Reads the target with its newest run, and keeps every other part of it waiting until the
/// transaction ends.
pub(super) async fn lock(
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
