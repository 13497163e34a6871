//! Counts the parts of a job, and ends the job and its run with the last of them.

use std::net::IpAddr;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::super::{Problem, requests};
use crate::columns::parse;
use crate::requests::{NewRequest, RequestKind, RunKind};
use crate::snapshots::SnapshotPart;

/// Counts the part; the job is finished when all of its parts are in. The row tells the job's run if it is, and its
/// zone.
pub(super) async fn count(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    now: Timestamp,
) -> Result<Option<Row>, Problem> {
    let count = transaction
        .prepare_cached(
            "UPDATE jobs SET parts_in = parts_in + 1, \
             finished_at = CASE WHEN parts_in + 1 = parts THEN $3::timestamptz END, \
             hosts = CASE WHEN parts_in + 1 < parts THEN hosts END, \
             ports = CASE WHEN parts_in + 1 < parts THEN ports END \
             WHERE id = $1 AND $2::bigint < parts AND finished_at IS NULL \
             RETURNING CASE WHEN finished_at IS NOT NULL THEN run END AS run, zone",
        )
        .await?;
    Ok(transaction
        .query_opt(&count, &[&part.job.0, &i64::from(part.part), &now])
        .await?)
}

/// What follows when the part was the last of its job, after everything else of the part was saved: when no other
/// job of the target is out, the target may be claimed again.
pub(super) async fn finish(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    counted: Option<Row>,
    now: Timestamp,
) -> Result<(), Problem> {
    let Some(counted) = counted else {
        return Ok(());
    };
    let Some(run) = counted.try_get::<_, Option<i64>>("run")? else {
        return Ok(());
    };
    if let Some(zone) = counted.try_get::<_, Option<String>>("zone")? {
        worked(transaction, &zone, now).await?;
    }
    if !finish_run(transaction, part, run, now).await? {
        let free = transaction
            .prepare_cached(
                "UPDATE targets SET busy_until = NULL WHERE id = $1 AND NOT EXISTS (SELECT FROM jobs \
                 WHERE target_id = $1 AND finished_at IS NULL AND deadline > $2 AND of_schedule)",
            )
            .await?;
        transaction.execute(&free, &[&part.target.0, &now]).await?;
    }
    Ok(())
}

/// Somebody works for the zone. Every job of it would write the same row, so that is done every few seconds only, and
/// nobody waits for it.
async fn worked(transaction: &Transaction<'_>, zone: &str, now: Timestamp) -> Result<(), Problem> {
    let mark = transaction
        .prepare_cached(
            "UPDATE zones SET last_finished_at = $2 WHERE zone IN (SELECT zone FROM zones WHERE zone = $1 \
             AND coalesce(last_finished_at + interval '5 seconds' <= $2, true) FOR UPDATE SKIP LOCKED)",
        )
        .await?;
    transaction.execute(&mark, &[&zone, &now]).await?;
    Ok(())
}

/// Ends the run with its last job, and sums up what is known of the target then. True if the target's slot goes on:
/// the hosts that a discovery found are asked for.
async fn finish_run(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    run: i64,
    now: Timestamp,
) -> Result<bool, Problem> {
    let finish = transaction
        .prepare_cached(
            "UPDATE runs SET finished_at = $3 WHERE target_id = $1 AND run = $2 AND NOT EXISTS \
             (SELECT FROM jobs WHERE target_id = $1 AND run = $2 AND finished_at IS NULL) \
             RETURNING kind, created_at, overdue_at",
        )
        .await?;
    let finished = transaction
        .query_opt(&finish, &[&part.target.0, &run, &now])
        .await?;
    let Some(row) = finished else {
        return Ok(false);
    };
    let kind: RunKind = parse("kind", row.try_get("kind")?)?;
    if !kind.is_of_schedule() {
        return Ok(false);
    }
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
    let made: Timestamp = row.try_get("created_at")?;
    let full = (kind == RunKind::Slot).then_some(made);
    let overdue: Option<Timestamp> = row.try_get("overdue_at")?;
    let scanned = transaction
        .prepare_cached(
            "UPDATE targets SET scanned_at = $2, full_at = coalesce($3, full_at), \
             overdue_at = coalesce($4, overdue_at) WHERE id = $1",
        )
        .await?;
    transaction
        .execute(&scanned, &[&part.target.0, &now, &full, &overdue])
        .await?;
    if kind == RunKind::Discovery {
        return ask_for_found(transaction, part, run, now).await;
    }
    Ok(false)
}

async fn ask_for_found(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    run: i64,
    now: Timestamp,
) -> Result<bool, Problem> {
    let found = transaction
        .prepare_cached(
            "SELECT ip FROM hosts WHERE target_id = $1 AND (state = 'up' OR open_ports > 0) ORDER BY ip",
        )
        .await?;
    let found = transaction.query(&found, &[&part.target.0]).await?;
    let hosts: Vec<IpAddr> = found
        .iter()
        .map(|row| row.try_get("ip"))
        .collect::<Result<_, _>>()?;
    if hosts.is_empty() {
        return Ok(false);
    }
    let request = NewRequest {
        id: NewRequest::discovered_by(part.target, run),
        target: part.target,
        kind: RequestKind::Discovered,
        hosts: Some(hosts),
        ports: None,
        asked_at: now,
        due_at: now,
    };
    requests::save(transaction, &[request]).await?;
    Ok(true)
}
