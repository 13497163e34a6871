//! What was applied, for whoever looks on: `portwatch up` prints it.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::HostRecord;
use portwatch_domain::ports::PortSet;
use portwatch_domain::snapshot::{HostReport, HostState, Method, Snapshot};

/// One part of a snapshot that is now in the store.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What people call the target.
    pub target: String,
    /// How it was scanned.
    pub method: Method,
    /// When the scan ended.
    pub finished_at: Timestamp,
    /// How long it took.
    pub took: SignedDuration,
    /// The hosts of the part.
    pub hosts: Vec<HostSeen>,
}

/// One host as it was seen.
#[derive(Clone, Debug)]
pub struct HostSeen {
    /// Its address.
    pub ip: IpAddr,
    /// Its name, if the target names it.
    pub name: Option<String>,
    /// What the scan says of it.
    pub state: HostState,
    /// It answers *open* on everything.
    pub suspect: bool,
    /// The ports that got a verdict.
    pub covered: usize,
    /// The ports known open now.
    pub open: PortSet,
    /// Ports that had their first verdict in this scan: nobody is told about those.
    pub baseline: bool,
}

/// Called after each part was saved.
pub type Observer = Arc<dyn Fn(Seen) + Send + Sync>;

impl HostSeen {
    pub(crate) fn new(before: &PortSet, after: &HostRecord, report: &HostReport) -> Self {
        Self {
            ip: report.ip,
            name: report.name.clone(),
            state: report.state,
            suspect: report.suspect,
            covered: report.coverage.len(),
            open: after.open(),
            baseline: !after.baseline.is_subset(before),
        }
    }
}

impl Seen {
    pub(crate) fn new(target: String, snapshot: &Snapshot, hosts: Vec<HostSeen>) -> Self {
        Self {
            target,
            method: snapshot.method,
            finished_at: snapshot.finished_at,
            took: snapshot.finished_at.duration_since(snapshot.started_at),
            hosts,
        }
    }
}
