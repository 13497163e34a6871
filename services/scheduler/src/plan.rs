//! A claim → the run that is saved: its jobs, their messages, and the names that moved.

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use portwatch_bus::Route;
use portwatch_domain::change::{Change, Transition};
use portwatch_domain::job::cut::{self, Known, Run, Scope};
use portwatch_domain::job::{Job, Priority, due};
use portwatch_domain::target::Target;
use portwatch_domain::target::names::{self, Moved, Names};
use portwatch_schemas::{EncodeError, Meta, TraceParent, encode};
use portwatch_store::jobs::{Cause, DueTarget, JobRow, KnownTarget, NewRun};
use portwatch_store::outbox::{OutboxMessage, Topic};
use portwatch_store::requests::{DueRequest, RequestKind, RunKind};
use uuid::Uuid;

use crate::changes;

/// The run of a slot. `resolved` are the addresses that the target's names have now.
pub(crate) fn of_slot(
    due: DueTarget,
    resolved: Names,
    now: Timestamp,
) -> Result<NewRun, EncodeError> {
    let DueTarget {
        target,
        slot,
        known,
    } = due;
    let scope = cut::scope_of_slot(&target, known.full_at, now);
    let kind = match scope {
        Scope::Discovery => RunKind::Discovery,
        _ => RunKind::Slot,
    };
    let next_slot = due::next_slot(&target, known.run, slot, now);
    let mut run = of_scope(
        &target,
        known,
        Some(resolved),
        &scope,
        (kind, Priority::Normal),
        now,
    )?;
    let last = run.jobs.iter().map(|job| job.deadline).max();
    let allowance = last.map_or(SignedDuration::ZERO, |last| last.duration_since(now));
    run.cause = Cause::Slot {
        slot,
        next_slot,
        // From now, because a late run is as good as one on time.
        overdue_at: due::overdue_at(&target, now, allowance),
    };
    Ok(run)
}

/// The run of a request. `resolved` are the addresses that the target's names have now, where it was asked.
///
/// In a closed window only what somebody asked for is scanned; for anything else the run has no jobs.
pub(crate) fn of_request(
    due: DueRequest,
    resolved: Option<Names>,
    now: Timestamp,
) -> Result<NewRun, EncodeError> {
    let DueRequest {
        id,
        kind,
        target,
        hosts,
        ports,
        known,
    } = due;
    let (kind, priority) = match kind {
        RequestKind::Verify => (RunKind::Verify, Priority::High),
        RequestKind::Now => (RunKind::Now, Priority::High),
        RequestKind::Redo => (RunKind::Redo, Priority::Normal),
        RequestKind::Discovered => (RunKind::Discovered, Priority::Normal),
    };
    let is_closed = target.schedule.closed_until(now).is_some();
    let scope = match (kind, hosts) {
        (RunKind::Verify | RunKind::Redo | RunKind::Discovered, _) if is_closed => {
            Scope::Found(Vec::new())
        }
        (RunKind::Discovered, Some(hosts)) => Scope::Found(hosts),
        (_, hosts) => Scope::Part { hosts, ports },
    };
    let mut run = of_scope(&target, known, resolved, &scope, (kind, priority), now)?;
    run.cause = Cause::Request(id);
    Ok(run)
}

/// A run whose cause is yet to be told.
fn of_scope(
    target: &Target,
    mut known: KnownTarget,
    resolved: Option<Names>,
    scope: &Scope,
    (kind, priority): (RunKind, Priority),
    now: Timestamp,
) -> Result<NewRun, EncodeError> {
    let asked = resolved.is_some();
    let (names, moved) = names::resolve(target, &known.names, &resolved.unwrap_or_default());
    let hosts: Vec<_> = moved.iter().flat_map(|moved| moved.hosts.clone()).collect();
    for (from, to) in &hosts {
        if let Some(open) = known.open.remove(from) {
            known.open.insert(*to, open);
        }
    }
    let (changes, mut outbox) = of_names(target, known.changes, moved, now)?;
    let in_order = target.names().filter_map(|name| names.get_key_value(name));
    let resolved = in_order.map(|(name, ips)| (name.clone(), ips.clone()));
    let plan = Run {
        number: known.run,
        now,
        priority,
    };
    let known_now = Known {
        resolved: resolved.collect(),
        open: known.open,
    };
    let jobs = cut::jobs_in(target, plan, &known_now, scope);
    for job in &jobs {
        outbox.push(message(job)?);
    }
    Ok(NewRun {
        target: target.id,
        cause: Cause::Request(Uuid::nil()),
        kind,
        run: known.run,
        now,
        jobs: jobs.into_iter().map(row).collect(),
        names: asked.then_some(names),
        moved: hosts,
        changes,
        outbox,
    })
}

fn of_names(
    target: &Target,
    changes_until_now: u64,
    moved: Vec<Moved>,
    now: Timestamp,
) -> Result<(Vec<Change>, Vec<OutboxMessage>), EncodeError> {
    let numbers = changes_until_now + 1..;
    let moved = moved.into_iter().zip(numbers).map(|(moved, number)| {
        let transition = Transition::Address {
            name: moved.name,
            before: moved.before,
            after: moved.after,
        };
        changes::of_target(target, number, transition, now)
    });
    moved.collect()
}

fn row(job: Job) -> JobRow {
    JobRow {
        id: job.id,
        parts: job.parts(),
        deadline: job.deadline,
        hosts: job.hosts.into_iter().map(|host| host.ip).collect(),
        ports: job.ports,
    }
}

fn message(job: &Job) -> Result<OutboxMessage, EncodeError> {
    let meta = Meta {
        id: job.id.0,
        source: "/portwatch/scheduler".to_owned(),
        time: job.created_at,
        trace: TraceParent::new(Uuid::new_v4().as_u128(), Uuid::new_v4().as_u64_pair().0),
    };
    let route = Route::Job {
        zone: job.zone.clone(),
        priority: job.priority,
    };
    Ok(OutboxMessage {
        id: job.id.0,
        topic: Topic::Job,
        route: route.to_string(),
        body: encode(&meta, job)?,
    })
}
