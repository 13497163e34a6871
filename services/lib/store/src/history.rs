//! What happened: every transition, and the scans that found them.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::compare::Past;
use portwatch_domain::change::{Change, ChangeKind};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use portwatch_domain::target::{TargetId, Zone};

use crate::StoreError;
use crate::requests::RunKind;

/// What a transition is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A host of a target, or a port of it.
    Host {
        /// The target.
        target: TargetId,
        /// The host's address.
        ip: IpAddr,
    },
    /// A target as a whole.
    Target(TargetId),
    /// A zone.
    Zone(Zone),
}

/// One transition as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// What it is of.
    pub about: Subject,
    /// The target's run that found it; `None` for what no scan has seen.
    pub run: Option<u64>,
    /// The job that brought it; `None` for what no scan has seen.
    pub job: Option<JobId>,
    /// The transition.
    pub change: Change,
}

impl HistoryRow {
    /// The host's address, if it is of a host.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self.about {
            Subject::Host { ip, .. } => Some(ip),
            Subject::Target(_) | Subject::Zone(_) => None,
        }
    }

    /// As it is compared with later scans; `None` if no run of a host found it.
    pub(crate) fn past(self) -> Option<Past> {
        Some(Past {
            run: self.run?,
            ip: self.ip()?,
            change: self.change,
        })
    }
}

/// Which transitions to read; what is `None` leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Of this target.
    pub target: Option<TargetId>,
    /// Of the host with this address, of whatever target.
    pub ip: Option<IpAddr>,
    /// Of this port.
    pub port: Option<Port>,
    /// Of one of these kinds; of any if empty.
    pub kinds: Vec<ChangeKind>,
    /// Seen then or later.
    pub from: Option<Timestamp>,
    /// Seen before then.
    pub to: Option<Timestamp>,
    /// How many at most.
    pub limit: u32,
}

impl HistoryFilter {
    /// The newest of one target.
    pub fn of(target: TargetId, limit: u32) -> Self {
        Self {
            target: Some(target),
            limit,
            ..Self::default()
        }
    }
}

/// A run of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Its number.
    pub run: u64,
    /// Why there was one.
    pub kind: RunKind,
    /// Its slot, if it had one.
    pub slot: Option<Timestamp>,
    /// When its jobs were made.
    pub created_at: Timestamp,
    /// When all of them were finished; `None` while one is out, and for ever if one was lost.
    pub finished_at: Option<Timestamp>,
    /// What was known of the target then; `None` for runs that look at a part of it only.
    pub summary: Option<Summary>,
}

/// What is known of a target when a run of it is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Hosts that were up.
    pub hosts_up: u64,
    /// Open ports of those.
    pub open_ports: u64,
}

/// How long a group's history is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRetention {
    /// The group's name.
    pub group: String,
    /// How long.
    pub keep_history: SignedDuration,
}

/// Reads what happened, and says how long it is kept.
#[async_trait]
pub trait History: Send + Sync {
    /// The transitions that the filter leaves, newest first.
    async fn history(&self, filter: HistoryFilter) -> Result<Vec<HistoryRow>, StoreError>;

    /// Every transition of a target's hosts that a run later than this one found, the last found first: what has
    /// to be undone to get from the state now to the state after that run.
    async fn changes_after(&self, target: TargetId, run: u64) -> Result<Vec<Past>, StoreError>;

    /// The newest runs of a target, newest first.
    async fn scans(&self, target: TargetId, limit: u32) -> Result<Vec<Scan>, StoreError>;

    /// Makes these the only groups that have a time of their own for which history is kept. For others
    /// [`PruneBefore::history`](crate::PruneBefore::history) counts.
    async fn sync_groups(&self, groups: &[GroupRetention]) -> Result<(), StoreError>;

    /// The groups that have a time of their own, by name, as [`sync_groups`](Self::sync_groups) last made them.
    async fn group_retention(&self) -> Result<Vec<GroupRetention>, StoreError>;
}
