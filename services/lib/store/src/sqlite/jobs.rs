//! Due targets and jobs in SQLite.

mod known;
mod lost;
mod runs;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::JobId;
use portwatch_domain::target::TargetId;
use rusqlite::params;

use super::{Sqlite, rows};
use crate::StoreError;
use crate::columns::{lease_end, signed};
use crate::jobs::{Ahead, DueTarget, JobCounts, JobProgress, Jobs, NewRun};

pub(super) use known::{KNOWN, kept, known};

const NEXT_DUE: &str = "SELECT min(at) FROM (SELECT min(next_due_at) AS at FROM targets WHERE listed AND enabled \
     UNION ALL SELECT min(claimable_at) FROM requests WHERE run IS NULL)";

const REBASE: &str = "UPDATE targets SET next_due_at = ?4, claimed_until = NULL, \
     busy_until = busy_until - max(due_set_at - ?1, 0), \
     overdue_at = overdue_at - max(due_set_at - ?1, 0), due_set_at = ?1 \
     WHERE id = ?2 AND next_due_at = ?3";

#[async_trait]
impl Jobs for Sqlite {
    async fn claim_due(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueTarget>, StoreError> {
        let until = lease_end(now, lease).as_microsecond();
        self.transaction("claiming due targets", move |transaction| {
            let sql = format!(
                "SELECT {}, {KNOWN}, next_due_at FROM targets \
                 WHERE listed AND enabled AND claimable_at <= ?1 ORDER BY claimable_at LIMIT ?2",
                rows::TARGET
            );
            let params = params![now.as_microsecond(), limit];
            let due = rows::select(transaction, &sql, params, |row| {
                Ok((
                    rows::target(row)?,
                    kept(row)?,
                    rows::time(row, "next_due_at")?,
                ))
            })?;
            let mut claimed = Vec::with_capacity(due.len());
            for (columns, kept, slot) in due {
                transaction
                    .prepare_cached("UPDATE targets SET claimed_until = ?2 WHERE id = ?1")?
                    .execute(params![columns.id.as_bytes(), until])?;
                let target = columns.target()?;
                let known = known(transaction, target.id, &kept)?;
                claimed.push(DueTarget {
                    target,
                    slot,
                    known,
                });
            }
            Ok(claimed)
        })
        .await
    }

    async fn save_runs(&self, runs: Vec<NewRun>) -> Result<Vec<bool>, StoreError> {
        self.transaction("saving runs", move |transaction| {
            runs::save(transaction, &runs)
        })
        .await
    }

    async fn count_jobs(&self, now: Timestamp) -> Result<JobCounts, StoreError> {
        self.transaction("counting jobs", move |transaction| {
            lost::count(transaction, now)
        })
        .await
    }

    async fn note_progress(&self, progress: Vec<(JobId, JobProgress)>) -> Result<(), StoreError> {
        self.transaction("noting the progress of jobs", move |transaction| {
            let mut note = transaction.prepare_cached(
                "UPDATE jobs SET sent = max(sent, ?2), planned = max(planned, ?3), \
                 answered = max(answered, ?4), open = max(open, ?5) WHERE id = ?1",
            )?;
            for (job, far) in &progress {
                note.execute(params![
                    job.0.as_bytes(),
                    signed(far.sent),
                    signed(far.planned),
                    signed(far.answered),
                    signed(far.open)
                ])?;
            }
            Ok(())
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.transaction("reading when a target is due", |transaction| {
            let micros: Option<i64> = rows::optional(transaction, NEXT_DUE, [])?;
            Ok(rows::timestamp("next_due_at", micros)?)
        })
        .await
    }

    async fn ahead(
        &self,
        now: Timestamp,
        slack: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Ahead>, StoreError> {
        let after = lease_end(now, slack).as_microsecond();
        self.transaction(
            "reading targets that are due too late",
            move |transaction| {
                let sql = format!(
                    "SELECT {}, next_due_at FROM targets \
                 WHERE listed AND enabled AND due_set_at > ?1 ORDER BY due_set_at LIMIT ?2",
                    rows::TARGET
                );
                let found = rows::select(transaction, &sql, params![after, limit], |row| {
                    Ok((rows::target(row)?, rows::time(row, "next_due_at")?))
                })?;
                let ahead = found.into_iter().map(|(columns, next_due_at)| {
                    Ok(Ahead {
                        target: columns.target()?,
                        next_due_at,
                    })
                });
                ahead.collect()
            },
        )
        .await
    }

    async fn rebase(
        &self,
        now: Timestamp,
        slots: Vec<(TargetId, Timestamp, Timestamp)>,
    ) -> Result<u64, StoreError> {
        let now = now.as_microsecond();
        self.transaction("bringing targets forward", move |transaction| {
            let mut rebase = transaction.prepare_cached(REBASE)?;
            let mut rebased = 0;
            for (target, was, is) in &slots {
                let (was, is) = (was.as_microsecond(), is.as_microsecond());
                rebased += rebase.execute(params![now, target.0.as_bytes(), was, is])? as u64;
            }
            Ok(rebased)
        })
        .await
    }
}
