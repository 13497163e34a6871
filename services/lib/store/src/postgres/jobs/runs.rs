//! Saves runs, all of a call in the same few statements.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use uuid::Uuid;

use super::super::{Problem, history, outbox};
use crate::columns::{cut, names, number, signed};
use crate::history::{HistoryRow, Subject};
use crate::jobs::NewRun;
use crate::jobs::plan::{Fate, Standing, fates};

/// A target stays due if a sync has made it due since it was claimed.
const TAKE_RUNS: &str = "UPDATE targets AS t SET run = GREATEST(t.run, r.run), claimed_until = NULL, \
     busy_until = GREATEST(t.busy_until, r.busy_until), \
     next_due_at = CASE WHEN t.next_due_at = r.slot THEN r.next_slot ELSE t.next_due_at END, \
     due_set_at = CASE WHEN t.next_due_at = r.slot THEN r.now ELSE t.due_set_at END, \
     names = coalesce(r.names, t.names), changes = t.changes + r.changes \
     FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], \
     $6::timestamptz[], $7::text[], $8::bigint[]) \
     AS r (id, run, busy_until, slot, next_slot, now, names, changes) WHERE t.id = r.id";

const PASS_OVER: &str = "UPDATE targets AS t SET next_due_at = r.next_slot, due_set_at = r.now \
     FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) \
     AS r (id, slot, next_slot, now) WHERE t.id = r.id AND t.next_due_at = r.slot";

const INSERT_RUNS: &str = "INSERT INTO runs (target_id, run, slot, kind, created_at, overdue_at) \
     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[], $5::timestamptz[], \
     $6::timestamptz[])";

/// Lists of addresses come as text, because arrays of arrays cannot be unnested.
const INSERT_JOBS: &str = "INSERT INTO jobs (id, target_id, run, zone, created_at, of_schedule, parts, deadline, \
     hosts, ports) SELECT r.id, r.target_id, r.run, t.zone, r.created_at, r.of_schedule, r.parts, r.deadline, \
     r.hosts::inet[], r.ports FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], \
     $5::boolean[], $6::bigint[], $7::timestamptz[], $8::text[], $9::text[]) \
     AS r (id, target_id, run, created_at, of_schedule, parts, deadline, hosts, ports) \
     JOIN targets t ON t.id = r.target_id";

pub(super) async fn save(
    transaction: &Transaction<'_>,
    runs: &[NewRun],
) -> Result<Vec<bool>, Problem> {
    let targets = lock(transaction, runs).await?;
    let fates = fates(runs, targets, taken(transaction, runs).await?);
    let those = |wanted: Fate| -> Vec<&NewRun> {
        let runs = runs.iter().zip(&fates);
        runs.filter_map(|(run, &fate)| (fate == wanted).then_some(run))
            .collect()
    };
    let saved = those(Fate::Saved);
    pass_over(transaction, &those(Fate::SlotTaken)).await?;
    release(transaction, runs).await?;
    if !saved.is_empty() {
        move_hosts(transaction, &saved).await?;
        take(transaction, &saved).await?;
        insert(transaction, &saved).await?;
        tell(transaction, &saved).await?;
    }
    Ok(fates.iter().map(|&fate| fate == Fate::Saved).collect())
}

fn column<T>(runs: &[&NewRun], of: impl Fn(&NewRun) -> T) -> Vec<T> {
    runs.iter().map(|run| of(run)).collect()
}

/// Locked in the order of ids, so that two calls never wait for each other in a circle.
async fn lock(
    transaction: &Transaction<'_>,
    runs: &[NewRun],
) -> Result<HashMap<Uuid, Standing>, Problem> {
    let ids: Vec<_> = runs.iter().map(|run| run.target.0).collect();
    let lock = transaction
        .prepare_cached(
            "SELECT id, run, listed AND enabled AS watched FROM targets WHERE id = ANY($1) \
             ORDER BY id FOR NO KEY UPDATE",
        )
        .await?;
    let found = transaction.query(&lock, &[&ids]).await?;
    let standing = found.iter().map(|row| {
        let standing = Standing {
            run: number("run", row.try_get("run")?)?,
            is_watched: row.try_get("watched")?,
        };
        Ok((row.try_get("id")?, standing))
    });
    standing.collect()
}

async fn taken(
    transaction: &Transaction<'_>,
    runs: &[NewRun],
) -> Result<HashSet<(Uuid, Timestamp)>, Problem> {
    let (ids, slots): (Vec<Uuid>, Vec<Timestamp>) = runs
        .iter()
        .filter_map(|run| Some((run.target.0, run.slot()?)))
        .unzip();
    let select = transaction
        .prepare_cached(
            "SELECT runs.target_id, runs.slot FROM unnest($1::uuid[], $2::timestamptz[]) AS r (id, slot) \
             CROSS JOIN LATERAL (SELECT target_id, slot FROM runs \
             WHERE target_id = r.id AND slot = r.slot LIMIT 1) AS runs",
        )
        .await?;
    let found = transaction.query(&select, &[&ids, &slots]).await?;
    let pairs = found
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    pairs.collect()
}

/// Without this a target that stands on a taken slot would be claimed again and again.
async fn pass_over(transaction: &Transaction<'_>, runs: &[&NewRun]) -> Result<(), Problem> {
    if runs.is_empty() {
        return Ok(());
    }
    let pass_over = transaction.prepare_cached(PASS_OVER).await?;
    transaction
        .execute(
            &pass_over,
            &[
                &column(runs, |run| run.target.0),
                &column(runs, NewRun::slot),
                &column(runs, NewRun::next_slot),
                &column(runs, |run| cut(run.now)),
            ],
        )
        .await?;
    Ok(())
}

/// Ends the claims, of the refused as well.
async fn release(transaction: &Transaction<'_>, runs: &[NewRun]) -> Result<(), Problem> {
    let requests: Vec<_> = runs.iter().filter_map(NewRun::request).collect();
    if !requests.is_empty() {
        let release = transaction
            .prepare_cached(
                "UPDATE requests SET claimed_until = NULL WHERE id = ANY($1) AND run IS NULL",
            )
            .await?;
        transaction.execute(&release, &[&requests]).await?;
    }
    let slots = runs.iter().filter(|run| run.slot().is_some());
    let targets: Vec<_> = slots.map(|run| run.target.0).collect();
    let release = transaction
        .prepare_cached(
            "UPDATE targets SET claimed_until = NULL WHERE id = ANY($1) AND claimed_until IS NOT NULL",
        )
        .await?;
    transaction.execute(&release, &[&targets]).await?;
    Ok(())
}

/// What is known of an address goes to another, of which nothing is known. The ports follow by their foreign key.
const MOVE: [&str; 2] = [
    "UPDATE hosts SET ip = $3 WHERE target_id = $1 AND ip = $2 \
     AND NOT EXISTS (SELECT FROM hosts WHERE target_id = $1 AND ip = $3)",
    "UPDATE history SET ip = $3 WHERE target_id = $1 AND ip = $2",
];

async fn move_hosts(transaction: &Transaction<'_>, runs: &[&NewRun]) -> Result<(), Problem> {
    for run in runs {
        for (from, to) in &run.moved {
            for sql in MOVE {
                let statement = transaction.prepare_cached(sql).await?;
                let moved = transaction
                    .execute(&statement, &[&run.target.0, from, to])
                    .await?;
                if moved == 0 {
                    break;
                }
            }
        }
    }
    Ok(())
}

async fn take(transaction: &Transaction<'_>, runs: &[&NewRun]) -> Result<(), Problem> {
    let names: Result<Vec<_>, _> = runs
        .iter()
        .map(|run| run.names.as_ref().map(names::to_json).transpose())
        .collect();
    let take = transaction.prepare_cached(TAKE_RUNS).await?;
    transaction
        .execute(
            &take,
            &[
                &column(runs, |run| run.target.0),
                &column(runs, |run| signed(run.run)),
                &column(runs, NewRun::busy_until),
                &column(runs, NewRun::slot),
                &column(runs, NewRun::next_slot),
                &column(runs, |run| cut(run.now)),
                &names?,
                &column(runs, |run| signed(run.changes.len() as u64)),
            ],
        )
        .await?;
    let of_requests = runs
        .iter()
        .filter_map(|run| Some((run.request()?, run.run)));
    let (requests, numbers): (Vec<Uuid>, Vec<i64>) =
        of_requests.map(|(id, run)| (id, signed(run))).unzip();
    if !requests.is_empty() {
        let answer = transaction
            .prepare_cached(
                "UPDATE requests AS q SET run = r.run FROM unnest($1::uuid[], $2::bigint[]) AS r (id, run) \
                 WHERE q.id = r.id AND q.run IS NULL",
            )
            .await?;
        transaction.execute(&answer, &[&requests, &numbers]).await?;
    }
    Ok(())
}

async fn insert(transaction: &Transaction<'_>, runs: &[&NewRun]) -> Result<(), Problem> {
    let insert = transaction.prepare_cached(INSERT_RUNS).await?;
    transaction
        .execute(
            &insert,
            &[
                &column(runs, |run| run.target.0),
                &column(runs, |run| signed(run.run)),
                &column(runs, NewRun::slot),
                &column(runs, |run| run.kind.as_str()),
                &column(runs, |run| cut(run.now)),
                &column(runs, NewRun::overdue_at),
            ],
        )
        .await?;
    let jobs: Vec<_> = runs
        .iter()
        .flat_map(|run| run.jobs.iter().map(move |job| (*run, job)))
        .collect();
    let hosts = jobs.iter().map(|(_, job)| {
        let hosts: Vec<String> = job.hosts.iter().map(ToString::to_string).collect();
        format!("{{{}}}", hosts.join(","))
    });
    let insert = transaction.prepare_cached(INSERT_JOBS).await?;
    let of_run = |(run, _): &(&NewRun, _)| run.target.0;
    transaction
        .execute(
            &insert,
            &[
                &jobs.iter().map(|(_, job)| job.id.0).collect::<Vec<_>>(),
                &jobs.iter().map(of_run).collect::<Vec<_>>(),
                &jobs
                    .iter()
                    .map(|(run, _)| signed(run.run))
                    .collect::<Vec<_>>(),
                &jobs.iter().map(|(run, _)| cut(run.now)).collect::<Vec<_>>(),
                &jobs
                    .iter()
                    .map(|(run, _)| run.kind.is_of_schedule())
                    .collect::<Vec<_>>(),
                &jobs
                    .iter()
                    .map(|(_, job)| i64::from(job.parts))
                    .collect::<Vec<_>>(),
                &jobs
                    .iter()
                    .map(|(_, job)| cut(job.deadline))
                    .collect::<Vec<_>>(),
                &hosts.collect::<Vec<_>>(),
                &jobs
                    .iter()
                    .map(|(_, job)| job.ports.to_string())
                    .collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

/// The messages and the history.
async fn tell(transaction: &Transaction<'_>, runs: &[&NewRun]) -> Result<(), Problem> {
    let messages: Vec<_> = runs.iter().flat_map(|run| run.outbox.clone()).collect();
    if let Some(first) = runs.first() {
        outbox::save(transaction, &messages, first.now).await?;
    }
    let mut past = Vec::new();
    for run in runs {
        past.extend(run.changes.iter().map(|change| HistoryRow {
            about: Subject::Target(run.target),
            run: Some(run.run),
            job: None,
            change: change.clone(),
        }));
    }
    history::save(transaction, &past).await
}
