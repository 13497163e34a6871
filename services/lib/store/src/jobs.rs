//! Which targets are due, and the jobs that are out.

pub(crate) mod plan;

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::Change;
use portwatch_domain::job::JobId;
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::names::Names;
use portwatch_domain::target::{Target, TargetId};
use uuid::Uuid;

use crate::StoreError;
use crate::outbox::OutboxMessage;
use crate::requests::RunKind;

/// A target that is due and now claimed by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTarget {
    /// The target.
    pub target: Target,
    /// The slot: the time it was due at.
    pub slot: Timestamp,
    /// What is known of it.
    pub known: KnownTarget,
}

/// What is known of a claimed target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTarget {
    /// The number that the next run will have.
    pub run: u64,
    /// The ports last known open, of each host that has any.
    pub open: BTreeMap<IpAddr, PortSet>,
    /// What its names resolved to last.
    pub names: Names,
    /// When the last run began that looked at all of it and is finished; `None` if it changed since.
    pub full_at: Option<Timestamp>,
    /// How many changes of the target as a whole there were.
    pub changes: u64,
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
    /// Its hosts, by which it can be made again.
    pub hosts: Vec<IpAddr>,
    /// Its ports.
    pub ports: PortSet,
}

/// Why a run is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The target's slot has come.
    Slot {
        /// The slot.
        slot: Timestamp,
        /// When the target is due next.
        next_slot: Timestamp,
        /// When the target is overdue unless it is scanned again, once this run is finished.
        overdue_at: Timestamp,
    },
    /// A request with this id.
    Request(Uuid),
}

/// A run of a target: what its claim leads to.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The target.
    pub target: TargetId,
    /// Why.
    pub cause: Cause,
    /// What it looks at.
    pub kind: RunKind,
    /// Its number, as [`KnownTarget::run`] said.
    pub run: u64,
    /// When it was made.
    pub now: Timestamp,
    /// The jobs; none if there is nothing to scan now.
    pub jobs: Vec<JobRow>,
    /// What the target's names resolve to from now on; `None` if that was not asked.
    pub names: Option<Names>,
    /// Hosts whose state moves from one address to another, of which nothing is known.
    pub moved: Vec<(IpAddr, IpAddr)>,
    /// Changes of the target as a whole, for the history.
    pub changes: Vec<Change>,
    /// A message for each job, and for what is told of those changes.
    pub outbox: Vec<OutboxMessage>,
}

/// How many jobs are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Out, and before their deadline.
    pub out: u64,
    /// Unfinished at their deadline, and counted as lost by this call.
    pub newly_lost: u64,
    /// Of those, how many are made again by a request.
    pub made_again: u64,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// Probes that were sent.
    pub sent: u64,
    /// Probes that there will be at least.
    pub planned: u64,
    /// Probes that were answered.
    pub answered: u64,
    /// Ports found open so far.
    pub open: u64,
}

/// A target whose next slot lies in the future of a clock that was set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The target.
    pub target: Target,
    /// Its next slot.
    pub next_due_at: Timestamp,
}

/// Claims targets and saves their jobs.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Claims up to `limit` targets that are enabled, listed, due at `now`, have no job of their schedule out, and
    /// are not claimed by anybody else. A claim ends with [`Jobs::save_runs`], or after `lease`.
    ///
    /// A job is out while it is unfinished and its deadline has not passed. Jobs of verifications and of scans that
    /// somebody asked for do not count here.
    async fn claim_due(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueTarget>, StoreError>;

    /// Saves runs with their jobs and outbox messages, all or none, and ends their claims. A target is next due at
    /// its `next_slot`, or when a sync has made it due since it was claimed.
    ///
    /// For each run: false, and nothing of it is saved, if the slot or the run's number is already taken, or the
    /// target is no longer listed and enabled. Its claim ends as well, so that it can be claimed again at once. A
    /// target that stands on a taken slot moves on to the next.
    async fn save_runs(&self, runs: Vec<NewRun>) -> Result<Vec<bool>, StoreError>;

    /// Counts the jobs that are out, and marks those past their deadline as lost. What a slot, a discovery or
    /// somebody asked for is made again, by a request, unless the zone is unattended.
    async fn count_jobs(&self, now: Timestamp) -> Result<JobCounts, StoreError>;

    /// Takes note of how far jobs are. Never goes back; a job that is not known is left out.
    async fn note_progress(&self, progress: Vec<(JobId, JobProgress)>) -> Result<(), StoreError>;

    /// The earliest time at which an enabled target or a request is due; `None` without any.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Targets whose next slot was set at a time that `now` is before, by more than `slack`, up to `limit` of them.
    async fn ahead(
        &self,
        now: Timestamp,
        slack: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Ahead>, StoreError>;

    /// Sets when targets that were [`Jobs::ahead`] are due next, unless that has changed: each with its next slot
    /// until now and from now on, which may be the same. What they wait for is brought forward as much.
    async fn rebase(
        &self,
        now: Timestamp,
        slots: Vec<(TargetId, Timestamp, Timestamp)>,
    ) -> Result<u64, StoreError>;
}
