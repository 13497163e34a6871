//! What waits to be told together with what comes after it.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::StoreError;
use crate::notifications::NewNotification;

/// A notification that waits for others before a channel is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHeld {
    /// The channel's name.
    pub channel: String,
    /// For how long.
    pub hold: Hold,
}

/// For how long a notification waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// With what else has the same order key: since the first of them, or since they were last told.
    Group {
        /// From the first of them until they are told.
        wait: SignedDuration,
        /// From one time that they, or everything, are told until the next.
        interval: SignedDuration,
    },
    /// In a digest, until this time.
    Digest(Timestamp),
}

/// One that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldNotification {
    /// Its place in line.
    pub seq: i64,
    /// When it is due.
    pub due_at: Timestamp,
    /// The encoded notification message.
    pub body: Vec<u8>,
}

/// Which of those that wait for a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// All that are not of a digest, if any of them is due.
    Groups,
    /// Those of a digest that are due.
    Digest,
}

/// What takes the place of some that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Those that waited.
    pub seqs: Vec<i64>,
    /// What is told instead of them.
    pub notifications: Vec<NewNotification>,
    /// The channel that is told.
    pub channel: String,
    /// The order keys that are told of, to count the interval from; the empty one for everything.
    pub told: Vec<String>,
    /// When.
    pub now: Timestamp,
}

/// Hands out what waits, and takes what is told instead.
#[async_trait]
pub trait HeldNotifications: Send + Sync {
    /// What waits for a channel, by place: at most `limit`.
    async fn held(
        &self,
        channel: &str,
        waiting: Waiting,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<HeldNotification>, StoreError>;

    /// Puts deliveries in the place of what waited. False, and nothing is changed, if somebody else has dealt with
    /// any of it.
    async fn release(&self, release: Release) -> Result<bool, StoreError>;

    /// When the first of what waits for these channels is due.
    async fn next_held(&self, channels: &[String]) -> Result<Option<Timestamp>, StoreError>;
}
