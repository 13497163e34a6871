//! Claims targets that are due, and saves their jobs with what is to be published.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use portwatch_bus::Route;
use portwatch_domain::job::cut::{self, Known, Run};
use portwatch_domain::job::{Job, Priority, due};
use portwatch_schemas::{EncodeError, Meta, TraceParent, encode};
use portwatch_store::jobs::{DueTarget, JobRow, NewRun};
use portwatch_store::outbox::{OutboxMessage, Topic};
use portwatch_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::resolve;
use crate::settings::Settings;

/// The longest pause between two looks for targets that are due: another process may have added some.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The shortest, so that a target which cannot be claimed yet is not asked for in a tight loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// How long after a failure of the store it is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// How long a claim holds if this process dies while it resolves names.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How many targets are made ready at once.
const CONCURRENCY: usize = 16;

/// Why runs could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The store could not be reached, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job could not be put into a message.
    #[error("encoding a job: {0}")]
    Encode(#[from] EncodeError),
}

/// What one look for due targets did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Runs made.
    pub made: u64,
    /// Targets that had missed slots.
    pub late: u64,
    /// How long to wait until the next look.
    pub pause: Duration,
}

/// Runs until the token is cancelled.
pub(crate) async fn run(
    store: &Store,
    settings: &Settings,
    wake: &Notify,
    shutdown: &CancellationToken,
) {
    let mut failing = false;
    while !shutdown.is_cancelled() {
        let pause = match claim(store, settings, Timestamp::now()).await {
            Ok(claimed) => {
                failing = false;
                if claimed.made > 0 {
                    wake.notify_one();
                }
                claimed.pause
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "no targets can be claimed; trying on");
                }
                failing = true;
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Claims what is due at `now` and saves its runs, as [`run`](crate::run) does again and again.
///
/// # Errors
/// If the store cannot be reached or refuses. What was saved until then stays, and the rest is claimed again when
/// its lease runs out.
pub async fn claim(
    store: &Store,
    settings: &Settings,
    now: Timestamp,
) -> Result<Claimed, ClaimError> {
    let due = store.claim_due(now, settings.claim_limit, LEASE).await?;
    let is_full = due.len() == settings.claim_limit as usize;
    let mut saved = stream::iter(due)
        .map(|due| save(store, settings, due, now))
        .buffer_unordered(CONCURRENCY);
    let mut claimed = Claimed::default();
    while let Some(saved) = saved.next().await {
        let (is_made, missed) = saved?;
        claimed.made += u64::from(is_made);
        claimed.late += u64::from(missed > 0);
    }
    if claimed.late > 0 {
        tracing::warn!(
            targets = claimed.late,
            "scans are late: the last ones took longer than the interval, or nothing was scheduling or scanning"
        );
    }
    if !is_full {
        let next = store.next_due().await?;
        let until = next.map_or(LONGEST_PAUSE, |next| {
            Duration::try_from(next.duration_since(now)).unwrap_or_default()
        });
        claimed.pause = until.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    }
    Ok(claimed)
}

/// Saves the run of a target; returns whether there was one to make, and how many slots had passed unused.
async fn save(
    store: &Store,
    settings: &Settings,
    due: DueTarget,
    now: Timestamp,
) -> Result<(bool, u64), ClaimError> {
    let DueTarget {
        target,
        slot,
        run,
        open,
    } = due;
    let timeout = Duration::try_from(settings.resolve_timeout).unwrap_or_default();
    let (resolved, failed) = resolve::names(&target, timeout).await;
    for error in failed {
        metrics::counter!("portwatch_target_unresolved_total").increment(1);
        tracing::warn!(target = target.name, %error, "a name could not be resolved and is left out of this scan");
    }
    let plan = Run {
        number: run,
        now,
        priority: Priority::Normal,
    };
    let jobs = cut::jobs(&target, plan, &Known { resolved, open });
    let missed = due::slots_missed(&target, run, slot, now);
    metrics::counter!("portwatch_slot_missed_total").increment(missed);
    let new = NewRun {
        target: target.id,
        slot,
        run,
        next_slot: due::next_slot(&target, run, slot, now),
        now,
        outbox: jobs.iter().map(message).collect::<Result<_, _>>()?,
        jobs: jobs
            .iter()
            .map(|job| JobRow {
                id: job.id,
                parts: job.parts(),
                deadline: job.deadline,
            })
            .collect(),
    };
    let is_made = store.save_run(new).await?;
    if is_made {
        metrics::counter!("portwatch_job_made_total").increment(jobs.len() as u64);
        tracing::debug!(target = target.name, run, jobs = jobs.len(), "run made");
    }
    Ok((is_made, missed))
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
