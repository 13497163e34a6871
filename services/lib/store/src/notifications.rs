//! Notifications, and their delivery to each channel.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::StoreError;
use crate::held::NewHeld;
use crate::problems::ProblemChange;

/// A notification and the deliveries that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotification {
    /// Its id.
    pub id: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// The encoded notification message.
    pub body: Vec<u8>,
    /// Deliveries to one channel with the same key go out in the order in which they were saved.
    pub order_key: String,
    /// One for each channel that is told at once.
    pub deliveries: Vec<NewDelivery>,
    /// One for each channel that is told later, with what comes until then.
    pub held: Vec<NewHeld>,
    /// What it says to be wrong, or no longer.
    pub problems: Vec<ProblemChange>,
}

/// A delivery to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id; the `webhook-id`.
    pub id: Uuid,
    /// The channel's name.
    pub channel: String,
}

/// A delivery that is due and now leased to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// Its id.
    pub id: Uuid,
    /// The channel's name.
    pub channel: String,
    /// The encoded notification message.
    pub body: Vec<u8>,
    /// Attempts made before this one, since it was last sent by hand if it was.
    pub attempts: u32,
    /// Proof of the lease: only its holder may record the attempt.
    pub lease: Uuid,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub latency: SignedDuration,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong, without secrets; `None` if it was delivered.
    pub error: Option<String>,
    /// The beginning of what the receiver answered, without secrets.
    pub answer: Option<String>,
    /// What follows.
    pub next: NextStep,
}

/// An attempt that has ended, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedAttempt {
    /// The delivery's id.
    pub delivery: Uuid,
    /// Proof of the lease.
    pub lease: Uuid,
    /// How it ended.
    pub attempt: Attempt,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: it was delivered.
    Delivered,
    /// It is tried again at this time.
    RetryAt(Timestamp),
    /// Nothing: it was given up.
    GivenUp,
}

/// How many deliveries are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Waiting for their first or next attempt.
    pub pending: u64,
    /// Given up.
    pub given_up: u64,
}

/// Saves notifications and hands out their deliveries.
#[async_trait]
pub trait Notifications: Send + Sync {
    /// Saves a notification with its deliveries, due at once, but for those to channels that are off. False, and
    /// nothing is saved, if the id is known.
    async fn save_notification(&self, notification: NewNotification) -> Result<bool, StoreError>;

    /// Leases up to `limit` deliveries to the given channels that are due at `now`, not leased, and
    /// whose predecessors of the same channel and order key have ended. Longest due first.
    async fn claim_deliveries(
        &self,
        channels: &[String],
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueDelivery>, StoreError>;

    /// Records attempts in the delivery log and ends their leases, all in one transaction, and notes how their
    /// channels fare. What is to be tried again is given up if its channel is off. For each, in the same order: false,
    /// and nothing is recorded, if the lease is no longer the caller's.
    async fn record_attempts(&self, ended: Vec<EndedAttempt>) -> Result<Vec<bool>, StoreError>;

    /// Records one attempt.
    async fn record_attempt(
        &self,
        delivery: Uuid,
        lease: Uuid,
        attempt: Attempt,
    ) -> Result<bool, StoreError> {
        let ended = EndedAttempt {
            delivery,
            lease,
            attempt,
        };
        Ok(self.record_attempts(vec![ended]).await? == [true])
    }

    /// The earliest time at which a pending delivery to these channels is due or its lease ends.
    async fn next_delivery(&self, channels: &[String]) -> Result<Option<Timestamp>, StoreError>;

    /// Counts deliveries.
    async fn count_deliveries(&self) -> Result<DeliveryCounts, StoreError>;
}
