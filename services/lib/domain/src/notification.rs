//! Who is told, in which words, and when again.

pub mod bundle;
pub mod condition;
pub mod dead;
pub mod matcher;
pub mod quiet;
pub mod retry;
pub mod route;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod words;

use jiff::Timestamp;
use uuid::Uuid;

use crate::change::Changes;
use summary::Summary;

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

    /// The notification of changes that were picked from others, or put together.
    pub fn gathered(changes: Changes, now: Timestamp) -> Self {
        let mut name = b"gathered".to_vec();
        for change in &changes.changes {
            name.extend(change.id.0.as_bytes());
        }
        Self {
            id: Uuid::new_v5(&changes.id(), &name),
            changes,
            created_at: now,
        }
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

/// What one message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The changes of one host, target or zone.
    Changes(Notification),
    /// Many changes in one.
    Summary(Summary),
}

impl Content {
    /// Its id.
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Changes(notification) => notification.id,
            Self::Summary(summary) => summary.id,
        }
    }

    /// When it was made.
    pub const fn created_at(&self) -> Timestamp {
        match self {
            Self::Changes(notification) => notification.created_at,
            Self::Summary(summary) => summary.created_at,
        }
    }

    /// The id of its delivery to a channel; receivers drop what they have seen by it.
    pub fn delivery_id(&self, channel: &str) -> Uuid {
        Uuid::new_v5(&self.id(), channel.as_bytes())
    }

    /// What must stay in order.
    pub fn order_key(&self) -> String {
        match self {
            Self::Changes(notification) => notification.order_key(),
            Self::Summary(_) => "summary".to_owned(),
        }
    }
}
