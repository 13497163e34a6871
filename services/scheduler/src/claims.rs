//! Claims targets that are due, and saves their runs with what is to be published.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::due;
use portwatch_schemas::EncodeError;
use portwatch_store::jobs::{DueTarget, NewRun};
use portwatch_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
use crate::{plan, resolve};

/// The longest pause between two looks for targets that are due: another process may have added some.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The shortest: what comes due meanwhile is claimed and saved together, and a target which cannot be claimed yet is
/// not asked for in a tight loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// How long after a failure of the store it is asked again.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// How long a claim holds if this process dies while it resolves names.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How many targets' names are resolved at once.
pub(crate) const RESOLVED_AT_ONCE: usize = 16;

/// Runs with more hosts than that are saved by themselves, so that memory stays small.
const BIG_RUN: usize = 4_096;

/// Why runs could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The store could not be reached, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job or a change could not be put into a message.
    #[error("encoding a message: {0}")]
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
    let mut claimed = Claimed::default();
    let due = pass_closed(store, due, now).await?;
    for due in &due {
        let missed = due::slots_missed(&due.target, due.known.run, due.slot, now);
        metrics::counter!("portwatch_slot_missed_total").increment(missed);
        claimed.late += u64::from(missed > 0);
    }
    if claimed.late > 0 {
        metrics::counter!("portwatch_slot_late_total").increment(claimed.late);
        tracing::warn!(
            targets = claimed.late,
            "scans are late: the last ones took longer than the interval, or nothing was scheduling or scanning"
        );
    }
    // Those without names do not wait for the others' name servers.
    let (named, plain): (Vec<_>, Vec<_>) = due
        .into_iter()
        .partition(|due| due.target.names().next().is_some());
    let plain = plain.into_iter().map(|due| (due, resolve::Found::new()));
    claimed.made += save(store, plain, now).await?;
    let mut resolved = stream::iter(named)
        .map(async |due| {
            let found = resolve::names(&due.target, settings.resolve_timeout).await;
            (due, found)
        })
        .buffer_unordered(RESOLVED_AT_ONCE)
        .ready_chunks(RESOLVED_AT_ONCE);
    while let Some(ready) = resolved.next().await {
        claimed.made += save(store, ready.into_iter(), now).await?;
    }
    if !is_full {
        claimed.pause = pause(store, now).await?;
    }
    Ok(claimed)
}

/// Moves on those whose slot had come before a window closed, and gives the others.
async fn pass_closed(
    store: &Store,
    due: Vec<DueTarget>,
    now: Timestamp,
) -> Result<Vec<DueTarget>, StoreError> {
    let is_closed = |due: &DueTarget| due.target.schedule.closed_until(now).is_some();
    let (closed, open): (Vec<_>, Vec<_>) = due.into_iter().partition(is_closed);
    if !closed.is_empty() {
        let next = |due: &DueTarget| due::next_slot(&due.target, due.known.run, due.slot, now);
        let slots = closed
            .iter()
            .map(|due| (due.target.id, due.slot, next(due)));
        store.rebase(now, slots.collect()).await?;
    }
    Ok(open)
}

async fn save(
    store: &Store,
    due: impl Iterator<Item = (DueTarget, resolve::Found)>,
    now: Timestamp,
) -> Result<u64, ClaimError> {
    let mut made = 0;
    let mut batch = Vec::new();
    for (due, found) in due {
        let run = plan::of_slot(due, found, now)?;
        let hosts: usize = run.jobs.iter().map(|job| job.hosts.len()).sum();
        if hosts > BIG_RUN {
            made += save_runs(store, vec![run]).await?;
        } else {
            batch.push(run);
        }
    }
    Ok(made + save_runs(store, batch).await?)
}

/// Saves runs; returns how many there were to save.
pub(crate) async fn save_runs(store: &Store, runs: Vec<NewRun>) -> Result<u64, StoreError> {
    if runs.is_empty() {
        return Ok(0);
    }
    let counts: Vec<_> = runs
        .iter()
        .map(|run| (run.kind.as_str(), run.jobs.len() as u64))
        .collect();
    let saved = store.save_runs(runs).await?;
    let mut made = 0;
    for ((kind, jobs), is_saved) in counts.into_iter().zip(saved) {
        if is_saved {
            metrics::counter!("portwatch_run_made_total", "kind" => kind).increment(1);
            metrics::counter!("portwatch_job_made_total").increment(jobs);
            made += 1;
        }
    }
    tracing::debug!(made, "runs made");
    Ok(made)
}

async fn pause(store: &Store, now: Timestamp) -> Result<Duration, StoreError> {
    let next = store.next_due().await?;
    let until = next.map_or(LONGEST_PAUSE, |next| {
        Duration::try_from(next.duration_since(now)).unwrap_or_default()
    });
    Ok(until.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}
