//! Deletes old rows from SQLite, a batch a transaction, so that nobody waits long.

mod history;

use rusqlite::{Transaction, params};

use super::{Problem, Sqlite};
use crate::{PruneBefore, Pruned, StoreError};

/// The most rows of one kind that one transaction deletes.
const BATCH: u32 = 2_000;

impl Sqlite {
    pub(super) async fn prune_in_batches(
        &self,
        older_than: PruneBefore,
    ) -> Result<Pruned, StoreError> {
        let mut sum = Pruned::default();
        loop {
            let (pruned, more) = self
                .transaction("deleting old rows", move |transaction| {
                    batch(transaction, older_than)
                })
                .await?;
            sum.jobs += pruned.jobs;
            sum.history += pruned.history;
            sum.runs += pruned.runs;
            sum.deliveries += pruned.deliveries;
            if !more {
                return Ok(sum);
            }
        }
    }
}

/// Deletes one batch of each kind. True if there may be more.
fn batch(transaction: &Transaction<'_>, older: PruneBefore) -> Result<(Pruned, bool), Problem> {
    let working = older.working.as_microsecond();
    let nothing = history::nothing_before(transaction, older)?;
    let delete = |sql: &str, before: i64| -> Result<usize, Problem> {
        Ok(transaction
            .prepare_cached(sql)?
            .execute(params![before, BATCH])?)
    };
    let jobs = delete(
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs \
         WHERE coalesce(finished_at, deadline) < ?1 LIMIT ?2)",
        working,
    )?;
    let runs = delete(
        "DELETE FROM runs WHERE (target_id, run) IN (SELECT target_id, run FROM runs AS old \
         WHERE created_at < ?1 AND NOT EXISTS (SELECT 1 FROM jobs \
         WHERE jobs.target_id = old.target_id AND jobs.run = old.run) LIMIT ?2)",
        nothing,
    )?;
    let inbox = delete(
        "DELETE FROM inbox WHERE (job_id, part) IN (SELECT job_id, part FROM inbox AS old \
         WHERE received_at < ?1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = old.job_id) \
         LIMIT ?2)",
        working,
    )?;
    let requests = delete(
        "DELETE FROM requests WHERE id IN (SELECT id FROM requests AS old \
         WHERE asked_at < ?1 AND NOT EXISTS (SELECT 1 FROM jobs \
         WHERE jobs.target_id = old.target_id AND jobs.run = old.run) \
         AND (run IS NOT NULL OR NOT EXISTS (SELECT 1 FROM targets \
         WHERE targets.id = old.target_id AND listed AND enabled)) LIMIT ?2)",
        working,
    )?;
    let transitions = history::delete(transaction, older)?;
    let (notifications, deliveries) = notifications(transaction, older.history.as_microsecond())?;
    let quiet = told_silences_and_problems(transaction, older)?;
    let pruned = Pruned {
        jobs: jobs as u64,
        history: transitions as u64,
        history_days: 0,
        runs: runs as u64,
        deliveries,
    };
    let most = [
        jobs,
        runs,
        inbox,
        requests,
        transitions,
        notifications,
        quiet,
    ];
    Ok((pruned, most.contains(&(BATCH as usize))))
}

/// Deletes notifications all of whose deliveries ended before `before`, and counts both.
fn notifications(transaction: &Transaction<'_>, before: i64) -> Result<(usize, u64), Problem> {
    let old = "SELECT id FROM notifications AS old WHERE created_at < ?1 AND NOT EXISTS \
         (SELECT 1 FROM deliveries WHERE notification_id = old.id \
         AND (ended_at IS NULL OR ended_at >= ?1)) AND NOT EXISTS (SELECT 1 FROM held \
         WHERE notification_id = old.id) ORDER BY created_at, id LIMIT ?2";
    let deliveries = transaction
        .prepare_cached(&format!(
            "DELETE FROM deliveries WHERE notification_id IN ({old})"
        ))?
        .execute(params![before, BATCH])?;
    let notifications = transaction
        .prepare_cached(&format!("DELETE FROM notifications WHERE id IN ({old})"))?
        .execute(params![before, BATCH])?;
    Ok((notifications, deliveries as u64))
}

/// Deletes when channels were told, and silences and what is no longer wrong; gives the
/// most of them.
fn told_silences_and_problems(
    transaction: &Transaction<'_>,
    older: PruneBefore,
) -> Result<usize, Problem> {
    let told = transaction
        .prepare_cached(
            "DELETE FROM told WHERE (channel, order_key) IN (SELECT channel, order_key FROM told \
             WHERE at < ?1 LIMIT ?2)",
        )?
        .execute(params![older.working.as_microsecond(), BATCH])?;
    let silences = transaction
        .prepare_cached(
            "DELETE FROM silences WHERE id IN (SELECT id FROM silences \
             WHERE until_at < ?1 LIMIT ?2)",
        )?
        .execute(params![older.history.as_microsecond(), BATCH])?;
    let problems = transaction
        .prepare_cached(
            "DELETE FROM problems WHERE id IN (SELECT id FROM problems \
             WHERE ended AND at < ?1 LIMIT ?2)",
        )?
        .execute(params![older.history.as_microsecond(), BATCH])?;
    Ok(told.max(silences).max(problems))
}
