//! Applies snapshots in PostgreSQL. A part takes the same few statements however many ports it has.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use futures_util::future::try_join;
use portwatch_domain::change::HostRecord;
use portwatch_domain::target::{Target, TargetId};

mod finish;
mod load;
mod state;

use load::Found;

use super::{Postgres, Problem, history, outbox, requests, rows};
use crate::StoreError;
use crate::columns::{assemble, cut};
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
            let hosts = format!("SELECT {} FROM hosts WHERE target_id = $1", rows::HOST);
            let hosts = transaction.prepare_cached(&hosts).await?;
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
    let now = cut(part.now);
    let stored = match load::load(transaction, part, now).await? {
        Found::NoTarget => return Ok(Applied::NoTarget),
        Found::Duplicate => return Ok(Applied::Duplicate),
        Found::New(stored) => *stored,
    };
    let loaded = Loaded {
        target: stored.target,
        newest_run: stored.newest_run,
        hosts: delta::in_order(&stored.hosts, &part.hosts),
    };
    let decided = delta::decide(decide, loaded).map_err(Problem::Refused)?;
    let delta =
        delta::delta(&stored.hosts, &part.hosts, &decided.hosts).map_err(Problem::Refused)?;
    let copies = state::copies(&decided.hosts, &delta, &stored.uncopied);
    let history = delta::history(part, decided.history);
    let save = async {
        state::save(transaction, part.target, &delta).await?;
        state::save_copies(transaction, part.target, &copies).await?;
        history::save(transaction, &history).await?;
        outbox::save(transaction, &decided.outbox, now).await?;
        requests::save(transaction, &decided.requests).await
    };
    // Neither needs the other's answer.
    let ((), counted) = try_join(save, finish::count(transaction, part, now)).await?;
    finish::finish(transaction, part, counted, now).await?;
    Ok(Applied::Applied)
}

/// Reads the target with its newest run, and keeps every other part of it waiting until the
/// transaction ends.
pub(super) async fn lock(
    transaction: &Transaction<'_>,
    target: TargetId,
) -> Result<Option<(Target, u64)>, Problem> {
    let select = transaction.prepare_cached(&load::lock()).await?;
    let found = transaction.query_opt(&select, &[&target.0]).await?;
    found.map(|found| load::locked(&found)).transpose()
}
