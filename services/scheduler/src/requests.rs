//! Claims what was asked for outside the schedule, and saves its runs: in a loop of its own, because somebody waits.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;
use portwatch_store::Store;
use portwatch_store::requests::{DueRequest, RequestKind};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::claims::{AFTER_FAILURE, ClaimError, LEASE, RESOLVED_AT_ONCE, save_runs};
use crate::settings::Settings;
use crate::{plan, resolve};

/// How long to wait until the next look.
const PAUSE: Duration = Duration::from_millis(200);

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
                if claimed > 0 {
                    wake.notify_one();
                }
                let is_full = claimed == settings.claim_limit as usize;
                if is_full { Duration::ZERO } else { PAUSE }
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "no requests can be claimed; trying on");
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

/// Claims requests and saves their runs; returns how many were claimed.
async fn claim(store: &Store, settings: &Settings, now: Timestamp) -> Result<usize, ClaimError> {
    let due = store
        .claim_requests(now, settings.claim_limit, LEASE)
        .await?;
    let claimed = due.len();
    // Two runs of one target in one batch would have one number.
    let mut rounds: Vec<Vec<DueRequest>> = Vec::new();
    for due in due {
        let free = rounds
            .iter_mut()
            .find(|round| round.iter().all(|other| other.target.id != due.target.id));
        match free {
            Some(round) => round.push(due),
            None => rounds.push(vec![due]),
        }
    }
    for (later, round) in (0_u64..).zip(rounds) {
        let runs = stream::iter(round)
            .map(async |mut due| {
                due.known.run += later;
                let found = found(&due, settings).await;
                plan::of_request(due, found, now)
            })
            .buffer_unordered(RESOLVED_AT_ONCE);
        let runs: Vec<_> = runs.collect().await;
        save_runs(store, runs.into_iter().collect::<Result<_, _>>()?).await?;
    }
    Ok(claimed)
}

/// The target's names are asked for again where somebody asked for a scan; what is looked at again is where it was.
async fn found(due: &DueRequest, settings: &Settings) -> Option<resolve::Found> {
    let has_names = due.target.names().next().is_some();
    if due.kind == RequestKind::Now && has_names {
        Some(resolve::names(&due.target, settings.resolve_timeout).await)
    } else {
        None
    }
}
