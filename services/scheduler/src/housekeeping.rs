//! Counts what is out and what was lost, brings slots back that a clock left far ahead, and deletes what nobody
//! needs any more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::due;
use portwatch_store::outbox::Topic;
use portwatch_store::{PruneBefore, Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::roxy_wi::RoxyWi;
use crate::settings::Settings;
use crate::watch;

/// How often jobs are counted, and zones and targets looked after.
const ROUND: Duration = Duration::from_secs(10);

/// How often slots that stand too far ahead are looked for, in rounds.
const REBASE_EVERY: u32 = 6;

/// How often old rows are deleted, in rounds.
const PRUNE_EVERY: u32 = 360;

/// Clocks that differ by less were not set.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// How many targets are read at once.
const BATCH: u32 = 1_000;

/// Runs until the token is cancelled. `wake` wakes the relay of changes.
pub(crate) async fn run(
    store: &Store,
    settings: &Settings,
    roxy_wi: Option<&RoxyWi>,
    wake: &Notify,
    shutdown: &CancellationToken,
) {
    let mut round = 0_u32;
    loop {
        if let Err(error) = count(store).await {
            tracing::debug!(%error, "jobs could not be counted");
        }
        if let Err(error) = watch::look(store, wake, Timestamp::now()).await {
            tracing::warn!(%error, "zones and targets could not be looked after; trying again in 10 s");
        }
        if round.is_multiple_of(REBASE_EVERY)
            && let Err(error) = rebase(store, Timestamp::now()).await
        {
            tracing::warn!(%error, "slots could not be compared with the clock; trying again in a minute");
        }
        if round.is_multiple_of(PRUNE_EVERY)
            && let Err(error) = prune(store, settings, roxy_wi).await
        {
            tracing::warn!(%error, "old rows could not be deleted; trying again in an hour");
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(ROUND) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn count(store: &Store) -> Result<(), StoreError> {
    let jobs = store.count_jobs(Timestamp::now()).await?;
    if jobs.newly_lost > 0 {
        metrics::counter!("portwatch_job_lost_total").increment(jobs.newly_lost);
        metrics::counter!("portwatch_job_made_again_total").increment(jobs.made_again);
        tracing::warn!(
            jobs = jobs.newly_lost,
            made_again = jobs.made_again,
            "no snapshot by the deadline: is a scanner running for the zone?"
        );
    }
    gauge("portwatch_job_out", jobs.out);
    for (topic, name) in [(Topic::Job, "job"), (Topic::Change, "change")] {
        let waiting = store.outbox_depth(topic).await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("portwatch_outbox_depth", "topic" => name).set(waiting as f64);
    }
    let findings = store.findings().await?;
    gauge("portwatch_port_unexpected_open", findings.unexpected_open);
    gauge("portwatch_port_expected_closed", findings.expected_closed);
    Ok(())
}

pub(crate) fn gauge(name: &'static str, value: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!(name).set(value as f64);
}

/// Gives a new slot to each target whose own was set by a clock that was ahead of `now`.
async fn rebase(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    loop {
        let ahead = store.ahead(now, SLACK, BATCH).await?;
        let found = ahead.len();
        if found == 0 {
            return Ok(());
        }
        let slots = ahead.into_iter().map(|ahead| {
            let next = due::rebased(&ahead.target, ahead.next_due_at, now);
            (
                ahead.target.id,
                ahead.next_due_at,
                next.unwrap_or(ahead.next_due_at),
            )
        });
        let moved = store.rebase(now, slots.collect()).await?;
        metrics::counter!("portwatch_slot_rebased_total").increment(moved);
        tracing::warn!(
            targets = found,
            "the clock was set back: slots are counted from now"
        );
        if found < BATCH as usize {
            return Ok(());
        }
    }
}

async fn prune(
    store: &Store,
    settings: &Settings,
    roxy_wi: Option<&RoxyWi>,
) -> Result<(), StoreError> {
    let retention = match roxy_wi {
        None => settings.retention(),
        Some(roxy_wi) => roxy_wi.retention(store).await?,
    };
    store.sync_groups(&retention).await?;
    let now = Timestamp::now();
    let before = |age: SignedDuration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let older_than = PruneBefore {
        now,
        working: before(settings.keep_jobs),
        history: before(settings.keep_history),
    };
    let pruned = store.prune(older_than).await?;
    tracing::debug!(?pruned, "old rows deleted");
    Ok(())
}
