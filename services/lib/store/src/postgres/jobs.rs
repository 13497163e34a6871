//! Due targets and jobs in PostgreSQL.

mod known;
mod lost;
mod runs;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::JobId;
use portwatch_domain::target::TargetId;
use tokio_postgres::Row;

use super::{Postgres, Problem, rows};
use crate::StoreError;
use crate::columns::{cut, lease_end, signed};
use crate::jobs::{Ahead, DueTarget, JobCounts, JobProgress, Jobs, NewRun};

pub(super) use known::{KNOWN, known, with_open_ports};

const NEXT_DUE: &str = "SELECT LEAST( \
     (SELECT min(next_due_at) FROM targets WHERE listed AND enabled), \
     (SELECT claimable_at FROM requests WHERE run IS NULL ORDER BY claimable_at, seq LIMIT 1))";

const REBASE: &str = "UPDATE targets AS t SET next_due_at = r.slot, due_set_at = $1, claimed_until = NULL, \
     busy_until = CASE WHEN t.due_set_at > $1 THEN t.busy_until - (t.due_set_at - $1) ELSE t.busy_until END, \
     overdue_at = CASE WHEN t.due_set_at > $1 THEN t.overdue_at - (t.due_set_at - $1) ELSE t.overdue_at END \
     FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS r (id, was, slot) \
     WHERE t.id = r.id AND t.next_due_at = r.was";

#[async_trait]
impl Jobs for Postgres {
    async fn claim_due(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueTarget>, StoreError> {
        let until = lease_end(now, lease);
        transaction!(self, "claiming due targets", |transaction| {
            let due = transaction.prepare_cached(&due()).await?;
            let due = transaction
                .query(&due, &[&cut(now), &i64::from(limit)])
                .await?;
            let mut claimed: Vec<_> = due.iter().map(due_target).collect::<Result<_, _>>()?;
            let ids: Vec<_> = claimed.iter().map(|due| due.target.id.0).collect();
            if ids.is_empty() {
                return Ok(claimed);
            }
            let claim = transaction
                .prepare_cached("UPDATE targets SET claimed_until = $2 WHERE id = ANY($1)")
                .await?;
            transaction.execute(&claim, &[&ids, &until]).await?;
            let known = claimed
                .iter_mut()
                .map(|due| (due.target.id, &mut due.known));
            with_open_ports(transaction, known).await?;
            Ok(claimed)
        })
    }

    async fn save_runs(&self, runs: Vec<NewRun>) -> Result<Vec<bool>, StoreError> {
        transaction!(self, "saving runs", |transaction| {
            runs::save(transaction, &runs).await
        })
    }

    async fn count_jobs(&self, now: Timestamp) -> Result<JobCounts, StoreError> {
        let now = cut(now);
        transaction!(self, "counting jobs", |transaction| {
            lost::count(transaction, now).await
        })
    }

    async fn note_progress(&self, progress: Vec<(JobId, JobProgress)>) -> Result<(), StoreError> {
        let ids: Vec<_> = progress.iter().map(|(job, _)| job.0).collect();
        let column = |of: fn(&JobProgress) -> u64| -> Vec<i64> {
            progress.iter().map(|(_, far)| signed(of(far))).collect()
        };
        let (sent, planned) = (column(|far| far.sent), column(|far| far.planned));
        let (answered, open) = (column(|far| far.answered), column(|far| far.open));
        transaction!(self, "noting the progress of jobs", |transaction| {
            let note = transaction
                .prepare_cached(
                    "UPDATE jobs AS j SET sent = GREATEST(j.sent, r.sent), \
                     planned = GREATEST(j.planned, r.planned), \
                     answered = GREATEST(j.answered, r.answered), open = GREATEST(j.open, r.open) \
                     FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
                     AS r (id, sent, planned, answered, open) WHERE j.id = r.id",
                )
                .await?;
            transaction
                .execute(&note, &[&ids, &sent, &planned, &answered, &open])
                .await?;
            Ok(())
        })
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        transaction!(self, "reading when a target is due", |transaction| {
            let select = transaction.prepare_cached(NEXT_DUE).await?;
            Ok(transaction.query_one(&select, &[]).await?.try_get(0)?)
        })
    }

    async fn ahead(
        &self,
        now: Timestamp,
        slack: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Ahead>, StoreError> {
        let after = lease_end(now, slack);
        transaction!(
            self,
            "reading targets that are due too late",
            |transaction| {
                let sql = format!(
                    "SELECT {}, t.next_due_at FROM targets t \
                 WHERE listed AND enabled AND due_set_at > $1 ORDER BY due_set_at LIMIT $2",
                    rows::TARGET
                );
                let select = transaction.prepare_cached(&sql).await?;
                let found = transaction
                    .query(&select, &[&after, &i64::from(limit)])
                    .await?;
                let ahead = |row: &Row| -> Result<Ahead, Problem> {
                    Ok(Ahead {
                        target: rows::target(row)?.target()?,
                        next_due_at: row.try_get("next_due_at")?,
                    })
                };
                found.iter().map(ahead).collect()
            }
        )
    }

    async fn rebase(
        &self,
        now: Timestamp,
        slots: Vec<(TargetId, Timestamp, Timestamp)>,
    ) -> Result<u64, StoreError> {
        let ids: Vec<_> = slots.iter().map(|(target, ..)| target.0).collect();
        let were: Vec<_> = slots.iter().map(|&(_, was, _)| cut(was)).collect();
        let are: Vec<_> = slots.iter().map(|&(.., is)| cut(is)).collect();
        transaction!(self, "bringing targets forward", |transaction| {
            let rebase = transaction.prepare_cached(REBASE).await?;
            Ok(transaction
                .execute(&rebase, &[&cut(now), &ids, &were, &are])
                .await?)
        })
    }
}

fn due() -> String {
    format!(
        "SELECT {}, {KNOWN}, t.next_due_at FROM targets t \
         WHERE listed AND enabled AND claimable_at <= $1 ORDER BY claimable_at LIMIT $2 \
         FOR NO KEY UPDATE SKIP LOCKED",
        rows::TARGET
    )
}

fn due_target(row: &Row) -> Result<DueTarget, Problem> {
    Ok(DueTarget {
        target: rows::target(row)?.target()?,
        slot: row.try_get("next_due_at")?,
        known: known(row)?,
    })
}
