//! Publishes what waits in the outbox.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{OutboxMessage, Topic};
use crate::{Store, StoreError};

/// How long a message belongs to a relay that says nothing.
pub const LEASE: SignedDuration = SignedDuration::from_secs(10);

/// How many messages are published at once.
pub const IN_FLIGHT: usize = 128;

/// How long to wait for a wake-up before looking again.
const POLL: Duration = Duration::from_secs(1);

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long what is in flight may take at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Publishes the messages of one topic. Any number of relays may run at once, in any number of
/// processes: each message is leased to one of them.
pub struct Relay {
    /// Where the messages wait.
    pub store: Store,
    /// Which messages.
    pub topic: Topic,
    /// Says that there is something new; without it new messages are seen within a second.
    pub wake: Arc<Notify>,
    /// How long a message stays with this relay if the process dies. While it lives it renews the
    /// leases of what is in flight, so a publish may take longer.
    pub lease: SignedDuration,
    /// The most messages that are being published at once.
    pub in_flight: usize,
}

/// A message that was tried, and what was wrong.
type Tried = (Uuid, Result<(), String>);

impl Relay {
    /// A relay with the usual lease and number in flight.
    pub fn new(store: Store, topic: Topic, wake: Arc<Notify>) -> Self {
        Self {
            store,
            topic,
            wake,
            lease: LEASE,
            in_flight: IN_FLIGHT,
        }
    }

    /// Publishes until the token is cancelled, several messages at once and in no promised order.
    ///
    /// A message is deleted when `publish` succeeds. One that fails is tried again later; if all
    /// fail, nothing new is claimed for 1 to 30 s. At the end what is in flight gets 5 s, and what
    /// is left is given back.
    pub async fn run<F, Fut, E>(self, publish: F, shutdown: CancellationToken)
    where
        F: Fn(OutboxMessage) -> Fut + Send + Sync,
        Fut: Future<Output = Result<(), E>> + Send,
        E: Display,
    {
        let mut desk = Desk::new(&self);
        let mut publishing = FuturesUnordered::new();
        let mut renewal = interval(renewal_period(self.lease));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !shutdown.is_cancelled() {
            for message in desk.claim().await {
                let id = message.id;
                let outcome = publish(message);
                publishing.push(async move { (id, outcome.await.map_err(|e| e.to_string())) });
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(first) = publishing.next() => {
                    desk.settle(with_all_ready(first, &mut publishing)).await;
                }
                _ = renewal.tick() => desk.renew().await,
                () = self.wake.notified(), if !desk.paused => desk.next_claim = Instant::now(),
                () = sleep_until(desk.next_claim), if desk.has_room() => {}
            }
        }
        desk.ending = true;
        let grace = timeout(GRACE, async {
            while let Some(first) = publishing.next().await {
                desk.settle(with_all_ready(first, &mut publishing)).await;
            }
        });
        // What did not end in time is given back below.
        let _ = grace.await;
        desk.give_back().await;
    }
}

fn renewal_period(lease: SignedDuration) -> Duration {
    let lease = Duration::try_from(lease).unwrap_or_default();
    (lease / 3).max(Duration::from_millis(10))
}

/// All that have ended by now, so that they are settled together.
fn with_all_ready(
    first: Tried,
    publishing: &mut FuturesUnordered<impl Future<Output = Tried>>,
) -> Vec<Tried> {
    let mut tried = vec![first];
    while let Some(Some(next)) = publishing.next().now_or_never() {
        tried.push(next);
    }
    tried
}

/// Who has what, and what the store has yet to be told.
struct Desk<'a> {
    relay: &'a Relay,
    /// Claimed here and not given back: being published, or published and not yet deleted.
    held: HashSet<Uuid>,
    /// Published; to be deleted.
    published: Vec<Uuid>,
    /// Failures since the last success.
    failures: u32,
    store_away: bool,
    /// Told to stop: what fails now waits in the store, and is no news.
    ending: bool,
    /// When to claim next, if there is room.
    next_claim: Instant,
    /// Nothing is claimed before `next_claim`, whoever calls.
    paused: bool,
}

impl<'a> Desk<'a> {
    fn new(relay: &'a Relay) -> Self {
        Self {
            relay,
            held: HashSet::new(),
            published: Vec::new(),
            failures: 0,
            store_away: false,
            ending: false,
            next_claim: Instant::now(),
            paused: false,
        }
    }

    fn has_room(&self) -> bool {
        self.held.len() < self.relay.in_flight
    }

    /// Claims what there is room for, if it is time to.
    async fn claim(&mut self) -> Vec<OutboxMessage> {
        if !self.has_room() || Instant::now() < self.next_claim {
            return Vec::new();
        }
        let Relay {
            store,
            topic,
            lease,
            ..
        } = self.relay;
        let room = u32::try_from(self.relay.in_flight - self.held.len()).unwrap_or(u32::MAX);
        let claimed = store
            .claim_outbox(*topic, Timestamp::now(), room, *lease)
            .await;
        let Some(claimed) = self.noted(claimed) else {
            return Vec::new();
        };
        self.paused = false;
        let all_there_is = u32::try_from(claimed.len()).is_ok_and(|count| count < room);
        self.next_claim = Instant::now() + if all_there_is { POLL } else { Duration::ZERO };
        let mut new = claimed;
        // A renewal that came late lets messages be claimed that are still in flight here.
        new.retain(|message| self.held.insert(message.id));
        new
    }

    /// Deletes what was published, and postpones what failed.
    async fn settle(&mut self, tried: Vec<Tried>) {
        let topic = self.relay.topic.as_str();
        let mut failed = Vec::new();
        let all = tried.len();
        for (id, outcome) in tried {
            match outcome {
                Ok(()) => {
                    metrics::counter!("portwatch_outbox_published_total", "topic" => topic)
                        .increment(1);
                    self.published.push(id);
                    self.failures = 0;
                }
                Err(error) => {
                    metrics::counter!("portwatch_outbox_failed_total", "topic" => topic)
                        .increment(1);
                    if self.failures == 0 && failed.is_empty() && !self.ending {
                        tracing::warn!(topic, %error, "publishing failed; trying again");
                    }
                    failed.push(id);
                }
            }
        }
        self.delete_published().await;
        if !failed.is_empty() {
            self.postpone(&failed, failed.len() == all).await;
        }
    }

    async fn delete_published(&mut self) {
        if self.published.is_empty() {
            return;
        }
        let deleted = self.relay.store.outbox_published(&self.published).await;
        if self.noted(deleted).is_some() {
            for id in self.published.drain(..) {
                self.held.remove(&id);
            }
        }
    }

    async fn postpone(&mut self, failed: &[Uuid], all_failed: bool) {
        self.failures = self.failures.saturating_add(1);
        let pause = LONGEST_PAUSE.min(Duration::from_secs(1 << (self.failures - 1).min(5)));
        if all_failed {
            self.pause(pause);
        }
        let pause = SignedDuration::try_from(pause).unwrap_or(LEASE);
        let postponed = self
            .relay
            .store
            .outbox_postponed(failed, Timestamp::now() + pause)
            .await;
        // If that failed, they come back when their lease ends.
        self.noted(postponed);
        for id in failed {
            self.held.remove(id);
        }
    }

    fn pause(&mut self, pause: Duration) {
        self.paused = true;
        self.next_claim = Instant::now() + pause;
    }

    /// Keeps others off what is in flight here, and tells the store what it has missed.
    async fn renew(&mut self) {
        self.delete_published().await;
        if self.held.is_empty() {
            return;
        }
        let held: Vec<_> = self.held.iter().copied().collect();
        let until = Timestamp::now() + self.relay.lease;
        let renewed = self.relay.store.outbox_postponed(&held, until).await;
        self.noted(renewed);
    }

    async fn give_back(&mut self) {
        self.delete_published().await;
        let published: HashSet<_> = self.published.iter().collect();
        let left: Vec<_> = self
            .held
            .iter()
            .filter(|id| !published.contains(id))
            .copied()
            .collect();
        if !left.is_empty() {
            let given = self
                .relay
                .store
                .outbox_postponed(&left, Timestamp::now())
                .await;
            self.noted(given);
        }
    }

    /// The value, or nothing, a pause, and one line in the log for each time the store goes away.
    fn noted<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => {
                if std::mem::take(&mut self.store_away) {
                    tracing::info!("the outbox can be read again");
                }
                Some(value)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.store_away, true) {
                    tracing::warn!(%error, "the outbox cannot be read; trying again");
                }
                self.pause(POLL);
                None
            }
        }
    }
}
