//! Host and port state, and the history that snapshots make.

pub(crate) mod delta;

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::change::{Change, HostRecord};
use portwatch_domain::job::JobId;
use portwatch_domain::target::{Target, TargetId};

use crate::StoreError;
use crate::outbox::OutboxMessage;
use crate::requests::NewRequest;

/// Which part of which snapshot is applied to which hosts.
#[derive(Clone, Debug)]
pub struct SnapshotPart {
    /// The job that it answers.
    pub job: JobId,
    /// Which part, from 0.
    pub part: u32,
    /// The job's target.
    pub target: TargetId,
    /// The target's run that the job belongs to.
    pub run: u64,
    /// The hosts whose records the decision needs.
    pub hosts: Vec<IpAddr>,
    /// When it is applied.
    pub now: Timestamp,
}

/// What a decision starts from, read and locked in its transaction.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The target, as it is now.
    pub target: Target,
    /// The number of the newest run that was made for it.
    pub newest_run: u64,
    /// One record for each host asked for, in that order; a new one where nothing is known.
    pub hosts: Vec<HostRecord>,
}

/// What a decision leads to, saved in the same transaction.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// The records to keep from now on, of hosts that were asked for; each replaces what was stored.
    pub hosts: Vec<HostRecord>,
    /// The transitions to add to the history.
    pub history: Vec<(IpAddr, Change)>,
    /// The messages to publish.
    pub outbox: Vec<OutboxMessage>,
    /// The runs to ask for.
    pub requests: Vec<NewRequest>,
}

/// A pure decision between load and save.
pub type Decide = Box<dyn FnOnce(Loaded) -> Decided + Send>;

/// What became of a snapshot part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was applied.
    Applied,
    /// This part of this job was applied before; nothing was done.
    Duplicate,
    /// The target does not exist; nothing was done.
    NoTarget,
}

/// Applies snapshots and reads state.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// Applies one part: takes note of it in the inbox, locks the target against other parts,
    /// loads, decides, saves state, history and outbox, and marks the job finished when all its
    /// parts are in. All or nothing, also if the decision panics. A part of a job that the store does
    /// not know is applied as well.
    async fn apply_snapshot(
        &self,
        part: SnapshotPart,
        decide: Decide,
    ) -> Result<Applied, StoreError>;

    /// The records of all hosts of a target, by address.
    async fn hosts(&self, target: TargetId) -> Result<Vec<HostRecord>, StoreError>;
}
