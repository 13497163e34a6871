//! Counts what is out and what was lost, and deletes what nobody needs any more.

use std::time::Duration;

use jiff::Timestamp;
use portwatch_store::outbox::Topic;
use portwatch_store::{PruneBefore, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// How often jobs are counted.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// How often old rows are deleted, in rounds of [`COUNT_EVERY`].
const PRUNE_EVERY: u32 = 360;

/// Runs until the token is cancelled.
pub(crate) async fn run(store: &Store, settings: &Settings, shutdown: &CancellationToken) {
    let mut round = 0_u32;
    loop {
        if let Err(error) = count(store).await {
            tracing::debug!(%error, "jobs could not be counted");
        }
        if round.is_multiple_of(PRUNE_EVERY)
            && let Err(error) = prune(store, settings).await
        {
            tracing::warn!(%error, "old rows could not be deleted; trying again in an hour");
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(COUNT_EVERY) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn count(store: &Store) -> Result<(), StoreError> {
    let jobs = store.count_jobs(Timestamp::now()).await?;
    if jobs.newly_lost > 0 {
        metrics::counter!("portwatch_job_lost_total").increment(jobs.newly_lost);
        tracing::warn!(
            jobs = jobs.newly_lost,
            "no snapshot by the deadline: is a scanner running for the zone?"
        );
    }
    let waiting = store.outbox_depth(Topic::Job).await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    {
        metrics::gauge!("portwatch_job_out").set(jobs.out as f64);
        metrics::gauge!("portwatch_outbox_depth", "topic" => "job").set(waiting as f64);
    }
    Ok(())
}

async fn prune(store: &Store, settings: &Settings) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let before = |age: jiff::SignedDuration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let older_than = PruneBefore {
        now,
        working: before(settings.keep_jobs),
        history: before(settings.keep_history),
    };
    let pruned = store.prune(older_than).await?;
    tracing::debug!(?pruned, "old rows deleted");
    Ok(())
}
