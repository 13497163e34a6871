//! What nobody is told for a while.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::StoreError;

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its id.
    pub id: Uuid,
    /// What it is about, as JSON; the notifier reads it.
    pub matcher: String,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub author: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when; not part of it.
    pub until: Timestamp,
}

/// Keeps silences.
#[async_trait]
pub trait Silences: Send + Sync {
    /// Saves a silence.
    async fn add_silence(&self, silence: Silence) -> Result<(), StoreError>;

    /// Those that end after `now`, by their end; with `ended`, also those that have ended and are still kept.
    async fn silences(&self, now: Timestamp, ended: bool) -> Result<Vec<Silence>, StoreError>;

    /// Ends a silence at `now` if it ends later. False if there is none that does.
    async fn end_silence(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError>;
}
