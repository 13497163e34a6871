//! The log of deliveries: what was sent where, and what came of it.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::spelling::words;
use uuid::Uuid;

use crate::StoreError;

/// Where a delivery is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits until an earlier one about the same has ended.
    Waiting,
    /// It is attempted when it is due.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It is not attempted any more.
    GivenUp,
}

words!(
    DeliveryState,
    "state of a delivery",
    Waiting = "waiting",
    Pending = "pending",
    Delivered = "delivered",
    GivenUp = "given_up"
);

/// Which deliveries are listed; what is `None` asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// The channel's name.
    pub channel: Option<String>,
    /// The state.
    pub state: Option<DeliveryState>,
}

/// A delivery, with its last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id; the `webhook-id`.
    pub id: Uuid,
    /// The channel's name.
    pub channel: String,
    /// Where it is on its way.
    pub state: DeliveryState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is attempted, or the attempt under way counts as failed.
    pub due_at: Timestamp,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Why it ended without an attempt.
    pub note: Option<String>,
    /// The encoded notification message.
    pub body: Vec<u8>,
    /// The last attempt.
    pub last: Option<LoggedAttempt>,
}

/// An attempt, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedAttempt {
    /// Counted from 1.
    pub number: u32,
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub latency: SignedDuration,
    /// The status of HTTP or SMTP, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong; `None` if it was delivered.
    pub error: Option<String>,
    /// The beginning of what the receiver answered.
    pub answer: Option<String>,
}

/// What sending again came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resent {
    /// It had ended, and goes out again under the same id.
    Again,
    /// It waited for its next attempt, which is made now.
    Sooner,
    /// It is being attempted just now.
    UnderWay,
    /// It comes when an earlier one about the same has ended.
    Waiting,
}

/// Reads the log, and sends again.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Deliveries, the newest first: at most `limit`.
    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Those whose id is from one to another: at most `limit`.
    async fn deliveries_between(
        &self,
        first: Uuid,
        last: Uuid,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// All attempts of a delivery that are on record, the first one first.
    async fn attempts(&self, delivery: Uuid) -> Result<Vec<LoggedAttempt>, StoreError>;

    /// Makes a delivery due at `now`, with all its retries before it. `None` if there is none.
    async fn resend(&self, delivery: Uuid, now: Timestamp) -> Result<Option<Resent>, StoreError>;
}
