//! Whether the watching goes on: zones that nobody works for, and targets that are not scanned.

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::change::Change;
use portwatch_domain::job::attended::ZoneWork;
use portwatch_domain::target::{Switching, Target, TargetId, Zone};

use crate::StoreError;
use crate::outbox::OutboxMessage;

/// A zone and the work in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneState {
    /// Its name.
    pub zone: Zone,
    /// What is known of its work.
    pub work: ZoneWork,
    /// How many changes of the zone there were.
    pub changes: u64,
}

/// A target that is not scanned in time, or is again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lateness {
    /// The target.
    pub target: Target,
    /// When a scan of it was last complete.
    pub scanned_at: Option<Timestamp>,
    /// Since when it is known to be overdue; `None` if that is not marked yet.
    pub overdue_since: Option<Timestamp>,
    /// Whether that was told.
    pub told: bool,
    /// How many changes of the target as a whole there were.
    pub changes: u64,
}

/// A target with what is known of its schedule and its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetState {
    /// The target.
    pub target: Target,
    /// Who lists it.
    pub source: String,
    /// What somebody has set in the place of what its source says.
    pub set: Switching,
    /// Who has last set it; `None` if nothing is set.
    pub set_by: Option<String>,
    /// When it is due next.
    pub next_due_at: Timestamp,
    /// When a scan of it was last complete.
    pub scanned_at: Option<Timestamp>,
    /// Since when it is overdue.
    pub overdue_since: Option<Timestamp>,
    /// The last run's number; 0 before the first.
    pub run: u64,
    /// How many of its hosts are known.
    pub hosts: u64,
    /// How many of them are up.
    pub hosts_up: u64,
    /// How many ports are open on hosts that are up.
    pub open_ports: u64,
    /// How many ports are open and should not be.
    pub unexpected_open: u64,
    /// How many ports are not open and should be.
    pub expected_closed: u64,
}

/// What is told of a zone or a target: for the history, and for who is told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The change.
    pub change: Change,
    /// The message that tells it.
    pub message: OutboxMessage,
}

/// Reads and marks what the watcher says of itself.
#[async_trait]
pub trait Watch: Send + Sync {
    /// All zones of listed targets.
    async fn zones(&self) -> Result<Vec<ZoneState>, StoreError>;

    /// Marks since when a zone is unattended, or that it is not, with what is told of it. `changes` is how many there
    /// were: false, and nothing is saved, if there are more by now. When it is attended again, its targets that are
    /// overdue without anybody having been told have as much time anew as they had after their last scan.
    async fn mark_zone(
        &self,
        zone: &Zone,
        changes: u64,
        unattended_since: Option<Timestamp>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Up to `limit` enabled targets that are overdue at `now` and not marked, and those that are marked and were
    /// scanned since, or are watched no longer.
    async fn lateness(&self, now: Timestamp, limit: u32) -> Result<Vec<Lateness>, StoreError>;

    /// How many targets are marked as overdue.
    async fn overdue_targets(&self) -> Result<u64, StoreError>;

    /// Marks since when a target is overdue, or that it is not, with what is told of it if anything is. `changes` is
    /// how many there were: false, and nothing is saved, if there are more by now.
    async fn mark_target(
        &self,
        target: TargetId,
        changes: u64,
        overdue_since: Option<Timestamp>,
        notice: Option<Notice>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// One listed target.
    async fn target_state(&self, target: TargetId) -> Result<Option<TargetState>, StoreError>;

    /// All listed targets, by name.
    async fn target_states(&self) -> Result<Vec<TargetState>, StoreError>;
}
