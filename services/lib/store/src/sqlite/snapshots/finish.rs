//! Counts the parts of a job, and ends the job and its run with the last of them.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::super::{Problem, requests, rows};
use crate::columns::parse;
use crate::requests::{NewRequest, RequestKind, RunKind};
use crate::snapshots::SnapshotPart;

/// Counts the part, and when all are in the job is finished; when no other job of the target's schedule is
/// out, the target may be claimed again.
pub(super) fn finish(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    now: i64,
) -> Result<(), Problem> {
    let target = part.target.0.as_bytes();
    let counted = transaction
        .prepare_cached(
            "UPDATE jobs SET parts_in = parts_in + 1, \
             finished_at = CASE WHEN parts_in + 1 = parts THEN ?3 END, \
             hosts = CASE WHEN parts_in + 1 < parts THEN hosts END, \
             ports = CASE WHEN parts_in + 1 < parts THEN ports END \
             WHERE id = ?1 AND ?2 < parts AND finished_at IS NULL \
             RETURNING iif(finished_at IS NULL, NULL, run), zone",
        )?
        .query_row(params![part.job.0.as_bytes(), part.part, now], |row| {
            Ok((
                row.get::<_, Option<i64>>(0)?,
                row.get::<_, Option<String>>(1)?,
            ))
        })
        .optional()?;
    let Some((Some(run), zone)) = counted else {
        return Ok(());
    };
    transaction
        .prepare_cached("UPDATE zones SET last_finished_at = ?2 WHERE zone = ?1")?
        .execute(params![zone, now])?;
    if !finish_run(transaction, part, run, now)? {
        transaction
            .prepare_cached(
                "UPDATE targets SET busy_until = NULL WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM jobs \
                 WHERE target_id = ?1 AND finished_at IS NULL AND deadline > ?2 AND of_schedule)",
            )?
            .execute(params![target, now])?;
    }
    Ok(())
}

/// Ends the run with its last job, and sums up what is known of the target then. True if the target's slot goes on:
/// the hosts that a discovery found are asked for.
fn finish_run(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    run: i64,
    now: i64,
) -> Result<bool, Problem> {
    let target = part.target.0.as_bytes();
    let finished = transaction
        .prepare_cached(
            "UPDATE runs SET finished_at = ?3 WHERE target_id = ?1 AND run = ?2 AND NOT EXISTS \
             (SELECT 1 FROM jobs WHERE target_id = ?1 AND run = ?2 AND finished_at IS NULL) \
             RETURNING kind, created_at, overdue_at",
        )?
        .query_row(params![target, run, now], |row| {
            let kind: String = row.get(0)?;
            Ok((kind, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?))
        })
        .optional()?;
    let Some((kind, made, overdue)) = finished else {
        return Ok(false);
    };
    let kind: RunKind = parse("kind", &kind)?;
    if !kind.is_of_schedule() {
        return Ok(false);
    }
    transaction
        .prepare_cached(
            "UPDATE runs SET (hosts_up, open_ports) = (SELECT count(*), coalesce(sum(open_ports), 0) \
             FROM hosts WHERE target_id = ?1 AND state = 'up') WHERE target_id = ?1 AND run = ?2",
        )?
        .execute(params![target, run])?;
    let full = (kind == RunKind::Slot).then_some(made);
    transaction
        .prepare_cached(
            "UPDATE targets SET scanned_at = ?2, full_at = coalesce(?3, full_at), \
             overdue_at = coalesce(?4, overdue_at) WHERE id = ?1",
        )?
        .execute(params![target, now, full, overdue])?;
    if kind == RunKind::Discovery {
        return ask_for_found(transaction, part, run, now);
    }
    Ok(false)
}

fn ask_for_found(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    run: i64,
    now: i64,
) -> Result<bool, Problem> {
    let hosts = rows::select(
        transaction,
        "SELECT ip FROM hosts WHERE target_id = ?1 AND (state = 'up' OR open_ports > 0) ORDER BY ip",
        [part.target.0.as_bytes()],
        rows::ip,
    )?;
    if hosts.is_empty() {
        return Ok(false);
    }
    let now = rows::timestamp("finished_at", Some(now))?.unwrap_or(Timestamp::UNIX_EPOCH);
    let request = NewRequest {
        id: NewRequest::discovered_by(part.target, run),
        target: part.target,
        kind: RequestKind::Discovered,
        hosts: Some(hosts),
        ports: None,
        asked_at: now,
        due_at: now,
    };
    requests::save(transaction, &[request])?;
    Ok(true)
}
