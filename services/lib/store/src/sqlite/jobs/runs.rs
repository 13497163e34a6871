//! Saves runs.

use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::super::{Problem, history, outbox};
use crate::columns::{names, number, signed};
use crate::history::{HistoryRow, Subject};
use crate::jobs::NewRun;
use crate::jobs::plan::{Fate, Standing, fates};

/// A target stays due if a sync has made it due since it was claimed.
const TAKE_RUN: &str = "UPDATE targets SET run = ?2, \
     busy_until = nullif(max(coalesce(busy_until, 0), coalesce(?3, 0)), 0), \
     due_set_at = iif(next_due_at IS ?4, ?6, due_set_at), \
     next_due_at = iif(next_due_at IS ?4, ?5, next_due_at), \
     names = coalesce(?7, names), changes = changes + ?8 WHERE id = ?1";

const INSERT_JOB: &str = "INSERT INTO jobs (id, target_id, run, zone, created_at, of_schedule, parts, deadline, \
     hosts, ports) SELECT ?2, id, ?3, zone, ?4, ?5, ?6, ?7, ?8, ?9 FROM targets WHERE id = ?1";

pub(super) fn save(transaction: &Transaction<'_>, runs: &[NewRun]) -> Result<Vec<bool>, Problem> {
    let mut targets = HashMap::new();
    let mut taken = HashSet::new();
    for run in runs {
        let id = run.target.0;
        let standing = transaction
            .prepare_cached("SELECT run, listed AND enabled FROM targets WHERE id = ?1")?
            .query_row([id.as_bytes()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((last, is_watched)) = standing {
            let run = number("run", last)?;
            targets.insert(id, Standing { run, is_watched });
        }
        if let Some(slot) = run.slot()
            && transaction
                .prepare_cached("SELECT 1 FROM runs WHERE target_id = ?1 AND slot = ?2")?
                .exists(params![id.as_bytes(), slot.as_microsecond()])?
        {
            taken.insert((id, slot));
        }
    }
    let fates = fates(runs, targets, taken);
    for (run, &fate) in runs.iter().zip(&fates) {
        release(transaction, run)?;
        match fate {
            Fate::Saved => one(transaction, run)?,
            Fate::SlotTaken => pass_over(transaction, run)?,
            Fate::Refused => {}
        }
    }
    Ok(fates.iter().map(|&fate| fate == Fate::Saved).collect())
}

/// Ends the claim.
fn release(transaction: &Transaction<'_>, run: &NewRun) -> Result<(), Problem> {
    let (sql, id) = match run.request() {
        Some(request) => (
            "UPDATE requests SET claimed_until = NULL WHERE id = ?1",
            request,
        ),
        None => (
            "UPDATE targets SET claimed_until = NULL WHERE id = ?1",
            run.target.0,
        ),
    };
    transaction.prepare_cached(sql)?.execute([id.as_bytes()])?;
    Ok(())
}

/// Without this a target that stands on a taken slot would be claimed again and again.
fn pass_over(transaction: &Transaction<'_>, run: &NewRun) -> Result<(), Problem> {
    let micros = |at: Option<jiff::Timestamp>| at.map(jiff::Timestamp::as_microsecond);
    transaction
        .prepare_cached(
            "UPDATE targets SET next_due_at = ?3, due_set_at = ?4 WHERE id = ?1 AND next_due_at = ?2",
        )?
        .execute(params![
            run.target.0.as_bytes(),
            micros(run.slot()),
            micros(run.next_slot()),
            run.now.as_microsecond()
        ])?;
    Ok(())
}

fn one(transaction: &Transaction<'_>, run: &NewRun) -> Result<(), Problem> {
    let micros = |at: Option<jiff::Timestamp>| at.map(jiff::Timestamp::as_microsecond);
    let (target, now) = (run.target.0.as_bytes(), run.now.as_microsecond());
    move_hosts(transaction, run)?;
    let number = signed(run.run);
    let names = run.names.as_ref().map(names::to_json).transpose()?;
    transaction.prepare_cached(TAKE_RUN)?.execute(params![
        target,
        number,
        micros(run.busy_until()),
        micros(run.slot()),
        micros(run.next_slot()),
        now,
        names,
        signed(run.changes.len() as u64)
    ])?;
    if let Some(request) = run.request() {
        transaction
            .prepare_cached("UPDATE requests SET run = ?2 WHERE id = ?1 AND run IS NULL")?
            .execute(params![request.as_bytes(), number])?;
    }
    transaction
        .prepare_cached(
            "INSERT INTO runs (target_id, run, slot, kind, created_at, overdue_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            target,
            number,
            micros(run.slot()),
            run.kind.as_str(),
            now,
            micros(run.overdue_at())
        ])?;
    let mut insert = transaction.prepare_cached(INSERT_JOB)?;
    for job in &run.jobs {
        let hosts: Vec<String> = job.hosts.iter().map(ToString::to_string).collect();
        insert.execute(params![
            target,
            job.id.0.as_bytes(),
            number,
            now,
            run.kind.is_of_schedule(),
            job.parts,
            job.deadline.as_microsecond(),
            hosts.join(" "),
            job.ports.to_string()
        ])?;
    }
    outbox::save(transaction, &run.outbox, now)?;
    let past = run.changes.iter().map(|change| HistoryRow {
        about: Subject::Target(run.target),
        run: Some(run.run),
        job: None,
        change: change.clone(),
    });
    history::save(transaction, &past.collect::<Vec<_>>())
}

/// What is known of an address goes to another, of which nothing is known.
fn move_hosts(transaction: &Transaction<'_>, run: &NewRun) -> Result<(), Problem> {
    if run.moved.is_empty() {
        return Ok(());
    }
    // The ports refer to their host; both move, one after the other.
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    for (from, to) in &run.moved {
        let (from, to) = (from.to_string(), to.to_string());
        let moved = transaction
            .prepare_cached(
                "UPDATE hosts SET ip = ?3 WHERE target_id = ?1 AND ip = ?2 \
                 AND NOT EXISTS (SELECT 1 FROM hosts WHERE target_id = ?1 AND ip = ?3)",
            )?
            .execute(params![run.target.0.as_bytes(), from, to])?;
        if moved == 0 {
            continue;
        }
        for table in ["ports", "history"] {
            let sql = format!("UPDATE {table} SET ip = ?3 WHERE target_id = ?1 AND ip = ?2");
            transaction.prepare_cached(&sql)?.execute(params![
                run.target.0.as_bytes(),
                from,
                to
            ])?;
        }
    }
    Ok(())
}
