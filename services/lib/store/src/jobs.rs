//! Which targets are due, and the jobs that are out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::{Target, TargetId};

use crate::StoreError;
use crate::outbox::OutboxMessage;

/// A target that is due and now claimed by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTarget {
    /// The target.
    pub target: Target,
    /// The slot: the time it was due at.
    pub slot: Timestamp,
    /// The number that the next run will have.
    pub run: u64,
    /// The ports last known open, of each host that has any.
    pub open: BTreeMap<IpAddr, PortSet>,
}

/// A job as the store remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// How many snapshot parts it will bring.
    pub parts: u32,
    /// After this it counts as lost.
    pub deadline: Timestamp,
}

/// A run of a target: what its claim leads to.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The target.
    pub target: TargetId,
    /// The slot that it takes.
    pub slot: Timestamp,
    /// Its number, as [`DueTarget::run`] said.
    pub run: u64,
    /// When the target is due next.
    pub next_slot: Timestamp,
    /// When it was made.
    pub now: Timestamp,
    /// The jobs; none if the target has no hosts now.
    pub jobs: Vec<JobRow>,
    /// One message for each job.
    pub outbox: Vec<OutboxMessage>,
}

/// How many jobs are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Out, and before their deadline.
    pub out: u64,
    /// Unfinished at their deadline, and counted as lost by this call.
    pub newly_lost: u64,
}

/// Claims targets and saves their jobs.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Claims up to `limit` targets that are enabled, listed, due at `now`, have no job out, and
    /// are not claimed by anybody else. A claim ends with [`Jobs::save_run`], or after `lease`.
    ///
    /// A job is out while it is unfinished and its deadline has not passed.
    async fn claim_due(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueTarget>, StoreError>;

    /// Saves a run with its jobs and their outbox messages, and ends the claim. The target is next
    /// due at `next_slot`, or when a sync has made it due since it was claimed.
    ///
    /// False, and nothing is saved, if the slot or the run's number is already taken, or the target
    /// is no longer listed and enabled. A target that stands on a taken slot moves on to the next.
    async fn save_run(&self, run: NewRun) -> Result<bool, StoreError>;

    /// Counts the jobs that are out, and marks those past their deadline as lost.
    async fn count_jobs(&self, now: Timestamp) -> Result<JobCounts, StoreError>;

    /// The earliest time at which an enabled target is due; `None` without targets.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;
}
