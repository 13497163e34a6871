//! Counts the parts of a job, and ends the job and its run with the last of them.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::super::Problem;
use crate::snapshots::SnapshotPart;

/// Counts the part, and when all are in the job is finished; when no other job of the target is
/// out, the target may be claimed again.
pub(super) async fn finish(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    now: Timestamp,
) -> Result<(), Problem> {
    let count = transaction
        .prepare_cached(
            "UPDATE jobs SET parts_in = parts_in + 1, \
             finished_at = CASE WHEN parts_in + 1 = parts THEN $3::timestamptz END \
             WHERE id = $1 AND $2::bigint < parts AND finished_at IS NULL \
             RETURNING CASE WHEN finished_at IS NOT NULL THEN run END",
        )
        .await?;
    let counted = transaction
        .query_opt(&count, &[&part.job.0, &i64::from(part.part), &now])
        .await?;
    let finished: Option<Option<i64>> = counted.map(|row| row.try_get(0)).transpose()?;
    if let Some(Some(run)) = finished {
        let free = transaction
            .prepare_cached(
                "UPDATE targets SET busy_until = NULL WHERE id = $1 AND NOT EXISTS \
                 (SELECT FROM jobs WHERE target_id = $1 AND finished_at IS NULL AND deadline > $2)",
            )
            .await?;
        transaction.execute(&free, &[&part.target.0, &now]).await?;
        finish_run(transaction, part, run, now).await?;
    }
    Ok(())
}

/// Ends the run with its last job, and sums up what is known of the target then.
async fn finish_run(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    run: i64,
    now: Timestamp,
) -> Result<(), Problem> {
    let finish = transaction
        .prepare_cached(
            "UPDATE runs SET finished_at = $3 WHERE target_id = $1 AND run = $2 AND NOT EXISTS \
             (SELECT FROM jobs WHERE target_id = $1 AND run = $2 AND finished_at IS NULL) \
             RETURNING kind NOT IN ('verify', 'now')",
        )
        .await?;
    let finished = transaction
        .query_opt(&finish, &[&part.target.0, &run, &now])
        .await?;
    let is_whole: Option<bool> = finished.map(|row| row.try_get(0)).transpose()?;
    if is_whole == Some(true) {
        let sum_up = transaction
            .prepare_cached(
                "UPDATE runs SET hosts_up = up, open_ports = open \
                 FROM (SELECT count(*) AS up, coalesce(sum(open_ports), 0) AS open FROM hosts \
                 WHERE target_id = $1 AND state = 'up') AS sums WHERE target_id = $1 AND run = $2",
            )
            .await?;
        transaction
            .execute(&sum_up, &[&part.target.0, &run])
            .await?;
    }
    Ok(())
}
