//! What is wrong now, and who has seen it.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::StoreError;

/// A condition that a change begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemChange {
    /// The condition's id.
    pub id: Uuid,
    /// When the change was seen: of two changes of a condition the later counts, in whatever order they come.
    pub at: Timestamp,
    /// The encoded notification of the change that begins it; `None` if it ends.
    pub begins: Option<Vec<u8>>,
}

/// Somebody has seen a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What they said.
    pub reason: String,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The condition's id.
    pub id: Uuid,
    /// Since when.
    pub since: Timestamp,
    /// The encoded notification of the change that began it.
    pub body: Vec<u8>,
    /// When people were last told, or reminded.
    pub told_at: Timestamp,
    /// Who has seen it.
    pub acknowledged: Option<Acknowledgement>,
}

/// Keeps what is wrong. It is noted with notifications.
#[async_trait]
pub trait Problems: Send + Sync {
    /// What is wrong now, the oldest first: at most `limit`.
    async fn problems(&self, limit: u32) -> Result<Vec<Problem>, StoreError>;

    /// Notes that somebody has seen a problem, until it ends. False if it has ended, or was seen before.
    async fn acknowledge(&self, id: Uuid, by: Acknowledgement) -> Result<bool, StoreError>;

    /// The problems that nobody has seen and that nobody was told of for so long; they count as told at `now`. At
    /// most `limit`.
    async fn take_reminders(
        &self,
        now: Timestamp,
        after: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Problem>, StoreError>;
}
