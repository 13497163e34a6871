//! Who is told, in which words, and when again.

pub mod matcher;
pub mod quiet;
pub mod retry;
pub mod route;
#[cfg(test)]
mod tests;
pub mod words;

use jiff::Timestamp;
use uuid::Uuid;

use crate::change::Changes;

/// What is told to every channel: changes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its id, made from the changes: the same however often it is made.
    pub id: Uuid,
    /// What is told.
    pub changes: Changes,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Notification {
    /// The notification of these changes; `None` if the target's *notify* switch is off.
    pub fn of(changes: Changes, now: Timestamp) -> Option<Self> {
        changes.notify.then(|| Self {
            id: changes.id(),
            changes,
            created_at: now,
        })
    }

    /// The id of its delivery to a channel; receivers drop what they have seen by it.
    pub fn delivery_id(&self, channel: &str) -> Uuid {
        Uuid::new_v5(&self.id, channel.as_bytes())
    }

    /// What must stay in order: everything about the same host, target or zone.
    pub fn order_key(&self) -> String {
        self.changes.order_key()
    }
}
