//! Messages that were decided in a transaction and wait to be published.
//!
//! A row is deleted when its message is confirmed. A process that dies in between leaves a row
//! whose lease runs out, and the message is published again under the same id.

pub mod relay;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use relay::Relay;

use crate::StoreError;

/// Which service publishes a message: each relays its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Jobs, published by the scheduler.
    Job,
    /// Changes, published by the differ.
    Change,
}

impl Topic {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Change => "change",
        }
    }
}

/// A message that waits to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// The message's id; saving a known one again changes nothing.
    pub id: Uuid,
    /// Who publishes it.
    pub topic: Topic,
    /// The routing key.
    pub route: String,
    /// The encoded message.
    pub body: Vec<u8>,
}

/// Hands out what waits to be published.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Leases up to `limit` messages of a topic that are due at `now` and not leased, longest due first
    /// (`FOR UPDATE SKIP LOCKED`: any number of relays share the work).
    async fn claim_outbox(
        &self,
        topic: Topic,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<OutboxMessage>, StoreError>;

    /// Deletes messages that were confirmed.
    async fn outbox_published(&self, ids: &[Uuid]) -> Result<(), StoreError>;

    /// Gives messages back, to be claimed again from `at` on; so it also renews a lease.
    async fn outbox_postponed(&self, ids: &[Uuid], at: Timestamp) -> Result<(), StoreError>;

    /// How many messages of a topic wait.
    async fn outbox_depth(&self, topic: Topic) -> Result<u64, StoreError>;
}
