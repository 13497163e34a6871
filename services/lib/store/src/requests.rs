//! What is asked for outside the schedule: ports to look at again, a scan now, jobs that were lost.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::ports::PortSet;
use portwatch_domain::spelling::words;
use portwatch_domain::target::{Target, TargetId};
use uuid::Uuid;

use crate::StoreError;
use crate::jobs::{JobProgress, KnownTarget};

/// Why something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// New states have to be confirmed.
    Verify,
    /// Somebody waits for it.
    Now,
    /// Jobs were lost.
    Redo,
    /// The hosts that a discovery found.
    Discovered,
}

words!(
    RequestKind,
    "kind of request",
    Verify = "verify",
    Now = "now",
    Redo = "redo",
    Discovered = "discovered"
);

/// A request for a run of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// Its id.
    pub id: Uuid,
    /// Of which target.
    pub target: TargetId,
    /// Why.
    pub kind: RequestKind,
    /// The hosts to scan; `None` for all of the target's.
    pub hosts: Option<Vec<IpAddr>>,
    /// The ports to scan; `None` for all of the target's.
    pub ports: Option<PortSet>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// From when on it may be claimed.
    pub due_at: Timestamp,
}

impl NewRequest {
    /// The id of the request that makes a lost job again.
    pub(crate) fn redo_of(job: Uuid) -> Uuid {
        Uuid::new_v5(&job, b"redo")
    }

    /// The id of the request for the hosts that a discovery found.
    pub(crate) fn discovered_by(target: TargetId, run: i64) -> Uuid {
        Uuid::new_v5(&target.0, format!("discovered\n{run}").as_bytes())
    }
}

/// Why a target has a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunKind {
    /// Its slot had come.
    Slot,
    /// Its slot had come, and its hosts were looked for first.
    Discovery,
    /// The hosts that a discovery found.
    Discovered,
    /// New states have to be confirmed.
    Verify,
    /// Somebody asked.
    Now,
    /// Jobs were lost.
    Redo,
}

words!(
    RunKind,
    "kind of run",
    Slot = "slot",
    Discovery = "discovery",
    Discovered = "discovered",
    Verify = "verify",
    Now = "now",
    Redo = "redo"
);

impl RunKind {
    /// True if it belongs to the target's schedule: the next slot waits for its jobs.
    pub const fn is_of_schedule(self) -> bool {
        !matches!(self, Self::Verify | Self::Now)
    }
}

/// A request that is due and now claimed by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRequest {
    /// Its id.
    pub id: Uuid,
    /// Why.
    pub kind: RequestKind,
    /// Its target.
    pub target: Target,
    /// The hosts to scan; `None` for all of the target's.
    pub hosts: Option<Vec<IpAddr>>,
    /// The ports to scan; `None` for all of the target's.
    pub ports: Option<PortSet>,
    /// What is known of the target.
    pub known: KnownTarget,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestState {
    /// The run that it led to; `None` while it waits.
    pub run: Option<u64>,
    /// How many jobs the run has.
    pub jobs: u64,
    /// How many of them are finished.
    pub finished: u64,
    /// How many of them are unfinished after their deadline.
    pub expired: u64,
    /// How far they are, together.
    pub progress: JobProgress,
}

impl RequestState {
    /// Nothing more will come.
    pub const fn is_over(&self) -> bool {
        self.run.is_some() && self.finished + self.expired == self.jobs
    }
}

/// Asks for runs outside the schedule.
#[async_trait]
pub trait Requests: Send + Sync {
    /// Saves requests; one that is known is left as it is.
    async fn add_requests(&self, requests: Vec<NewRequest>) -> Result<(), StoreError>;

    /// Claims up to `limit` requests that are due at `now`, whose target is listed and enabled, and that are not
    /// claimed by anybody else. A claim ends with [`crate::jobs::Jobs::save_runs`], or after `lease`.
    async fn claim_requests(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueRequest>, StoreError>;

    /// How far a request is at `now`; `None` if it is not known.
    async fn request(&self, id: Uuid, now: Timestamp) -> Result<Option<RequestState>, StoreError>;
}
