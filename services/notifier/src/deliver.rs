//! Attempts deliveries that are due, and records how each attempt ended.

mod attempt;
pub(crate) mod gauges;
pub(crate) mod pace;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use portwatch_store::notifications::DueDelivery;
use portwatch_store::{StoreError, retry_while_unavailable};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
use crate::{Channel, Deps, switch};
use attempt::{Ended, attempt};
use pace::Pace;

/// How long a delivery stays leased: somewhat longer than the longest attempt. After a crash its
/// successors wait this long.
const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// The longest time after which the store is asked for deliveries again, for those that another
/// process made.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long after a failure of the store it is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Runs until the token is cancelled, then lets the attempts in hand end. Each channel has a loop of its own, so
/// that one which is slow or dead takes nothing from the others.
pub(crate) async fn run(
    deps: &Deps,
    settings: &Settings,
    wake: &watch::Sender<()>,
    shutdown: &CancellationToken,
) {
    let deliver = |channel| deliver(deps, settings, channel, wake.subscribe(), shutdown);
    join_all(deps.channels.iter().map(deliver)).await;
}

async fn deliver(
    deps: &Deps,
    settings: &Settings,
    channel: &Channel,
    mut wake: watch::Receiver<()>,
    shutdown: &CancellationToken,
) {
    let names = [channel.name().to_owned()];
    let mut pace = Pace::new(channel.limits, settings.attempts_at_once, Instant::now());
    // Each on a task of its own: an attempt must not stand still while this loop asks the store.
    let mut in_hand = JoinSet::new();
    let mut failing = false;
    let mut judged = None;
    while !shutdown.is_cancelled() {
        wake.mark_unchanged();
        let room = pace.room(in_hand.len(), Instant::now());
        let pause = match claim(deps, &names, room).await {
            Ok((due, pause)) => {
                failing = false;
                pace.take(due.len());
                for due in due {
                    in_hand.spawn(attempt(deps.clone(), due));
                }
                let wait = pace.wait(Instant::now());
                if wait.is_zero() {
                    pause
                } else {
                    pause.min(wait)
                }
            }
            Err(error) => {
                if !failing {
                    tracing::error!(channel = channel.name(), %error, "no deliveries can be claimed; trying on");
                }
                failing = true;
                AFTER_FAILURE
            }
        };
        tokio::select! {
            Ok(()) = wake.changed() => {}
            Some(first) = in_hand.join_next() => {
                let heard = record(deps, first.ok(), &mut in_hand, shutdown).await;
                pace.rest(heard.rest, Instant::now());
                judge(deps, channel, &heard, &mut judged).await;
            }
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
    while let Some(first) = in_hand.join_next().await {
        record(deps, first.ok(), &mut in_hand, shutdown).await;
    }
}

/// Claims as many deliveries as there is room for; also says how long to wait for the next ones.
async fn claim(
    deps: &Deps,
    channels: &[String],
    room: usize,
) -> Result<(Vec<DueDelivery>, Duration), StoreError> {
    let Ok(limit @ 1..) = u32::try_from(room) else {
        return Ok((Vec::new(), LONGEST_PAUSE));
    };
    let now = Timestamp::now();
    let due = deps
        .store
        .claim_deliveries(channels, now, limit, LEASE)
        .await?;
    if due.len() == room {
        // There may be more, but no room for it until one of these has ended.
        return Ok((due, LONGEST_PAUSE));
    }
    let next = deps.store.next_delivery(channels).await?;
    let pause = next.map_or(LONGEST_PAUSE, |next| {
        Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default()
    });
    Ok((due, pause.clamp(Duration::from_millis(20), LONGEST_PAUSE)))
}

/// How often it is looked whether a receiver that fails is dead.
const JUDGE_EVERY: Duration = Duration::from_mins(1);

/// What the attempts that ended together say of the receiver.
#[derive(Default)]
struct Heard {
    /// How long it wants to be left alone.
    rest: Duration,
    /// What went wrong last; `None` if nothing did.
    error: Option<String>,
    /// It wants no more.
    gone: bool,
}

/// Records this attempt and all others that have ended by now, together.
async fn record(
    deps: &Deps,
    first: Option<Ended>,
    in_hand: &mut JoinSet<Ended>,
    shutdown: &CancellationToken,
) -> Heard {
    let others = std::iter::from_fn(|| in_hand.try_join_next()).filter_map(Result::ok);
    let mut heard = Heard::default();
    let mut ended = Vec::new();
    for one in first.into_iter().chain(others) {
        heard.rest = heard.rest.max(one.rest);
        heard.gone |= one.gone;
        let error = one.attempt.attempt.error.clone();
        heard.error = error.or(heard.error);
        ended.push(one.attempt);
    }
    let recorded = retry_while_unavailable("recording deliveries", shutdown, || {
        deps.store.record_attempts(ended.clone())
    });
    match recorded.await {
        Ok(recorded) => {
            let late = ended.iter().zip(recorded).filter(|(_, recorded)| !recorded);
            for (ended, _) in late {
                tracing::warn!(delivery = %ended.delivery, "the attempt took longer than its lease");
            }
        }
        Err(error) => {
            let deliveries: Vec<_> = ended.iter().map(|ended| ended.delivery).collect();
            tracing::error!(?deliveries, %error, "attempts are not on record and will be repeated under the same ids");
        }
    }
    heard
}

/// Switches the channel off if its receiver is dead.
async fn judge(deps: &Deps, channel: &Channel, heard: &Heard, judged: &mut Option<Instant>) {
    let Some(error) = &heard.error else { return };
    let is_due = judged.is_none_or(|judged| judged.elapsed() >= JUDGE_EVERY);
    if !heard.gone && !is_due {
        return;
    }
    *judged = Some(Instant::now());
    if let Err(error) = switch::after_failure(deps, channel.name(), heard.gone, error).await {
        tracing::error!(channel = channel.name(), %error, "whether the receiver is dead cannot be told; trying on");
    }
}
