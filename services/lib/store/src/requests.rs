//! What is asked for outside the schedule: ports to look at again, a scan now, jobs that were lost.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::ports::PortSet;
use portwatch_domain::spelling::words;
use portwatch_domain::target::TargetId;
use uuid::Uuid;

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
