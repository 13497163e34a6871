//! Counts the parts of a job, and ends the job and its run with the last of them.

use rusqlite::{Transaction, params};

use super::super::{Problem, rows};
use crate::snapshots::SnapshotPart;

/// Counts the part, and when all are in the job is finished; when no other job of the target is
/// out, the target may be claimed again.
pub(super) fn finish(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    now: i64,
) -> Result<(), Problem> {
    let target = part.target.0.as_bytes();
    // A run's number is never 0, which stands for a job that is not finished.
    let finished: Option<i64> = rows::optional(
        transaction,
        "UPDATE jobs SET parts_in = parts_in + 1, \
         finished_at = CASE WHEN parts_in + 1 = parts THEN ?3 END \
         WHERE id = ?1 AND ?2 < parts AND finished_at IS NULL \
         RETURNING iif(finished_at IS NULL, 0, run)",
        params![part.job.0.as_bytes(), part.part, now],
    )?;
    if let Some(run @ 1..) = finished {
        transaction
            .prepare_cached(
                "UPDATE targets SET busy_until = NULL WHERE id = ?1 AND NOT EXISTS \
                 (SELECT 1 FROM jobs WHERE target_id = ?1 AND finished_at IS NULL AND deadline > ?2)",
            )?
            .execute(params![target, now])?;
        finish_run(transaction, part, run, now)?;
    }
    Ok(())
}

/// Ends the run with its last job, and sums up what is known of the target then.
fn finish_run(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    run: i64,
    now: i64,
) -> Result<(), Problem> {
    let target = part.target.0.as_bytes();
    let is_whole: Option<bool> = rows::optional(
        transaction,
        "UPDATE runs SET finished_at = ?3 WHERE target_id = ?1 AND run = ?2 AND NOT EXISTS \
         (SELECT 1 FROM jobs WHERE target_id = ?1 AND run = ?2 AND finished_at IS NULL) \
         RETURNING kind NOT IN ('verify', 'now')",
        params![target, run, now],
    )?;
    if is_whole == Some(true) {
        transaction
            .prepare_cached(
                "UPDATE runs SET (hosts_up, open_ports) = (SELECT count(*), coalesce(sum(open_ports), 0) \
                 FROM hosts WHERE target_id = ?1 AND state = 'up') WHERE target_id = ?1 AND run = ?2",
            )?
            .execute(params![target, run])?;
    }
    Ok(())
}
