//! What a scanner is asked to do: some hosts × a port set, by a deadline, at a rate.

pub mod attended;
pub mod cut;
pub mod due;
pub mod progress;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::ports::PortSet;
use crate::snapshot::PART_HOSTS;
use crate::spelling::words;
use crate::target::{IpRange, TargetId, Zone};

/// The most hosts in one job.
pub const MAX_JOB_HOSTS: usize = 256;

/// The most ports in one job, but for the open ports of its hosts that are asked along.
pub const MAX_JOB_PORTS: usize = 16_384;

/// A job's id: the same for the same target, run and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub Uuid);

impl JobId {
    /// The id of the `index`th job of a target's run.
    pub fn derive(target: TargetId, run: u64, index: u32) -> Self {
        Self(Uuid::new_v5(
            &target.0,
            format!("job\n{run}\n{index}").as_bytes(),
        ))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of a zone's two queues a job waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Somebody waits for it, or a change has to be confirmed.
    High,
    /// By schedule.
    Normal,
}

words!(Priority, "priority", High = "high", Normal = "normal");

/// One host of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobHost {
    /// Where the probes go.
    pub ip: IpAddr,
    /// The name that was resolved to it, if the target names it.
    pub name: Option<String>,
    /// The ports last known open: what a scan is compared with, and the controls that tell the
    /// silence of a port from the silence of a path.
    pub known_open: PortSet,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// For which target.
    pub target: TargetId,
    /// The target's run, counted from 1; every job of one slot has the same.
    pub run: u64,
    /// Which job of the run this is, from 0.
    pub index: u32,
    /// Which workers may take it.
    pub zone: Zone,
    /// Which queue it waits in.
    pub priority: Priority,
    /// When it was made.
    pub created_at: Timestamp,
    /// After this nobody wants the answer.
    pub deadline: Timestamp,
    /// The most probes per second.
    pub rate: u32,
    /// 1 to [`MAX_JOB_HOSTS`] hosts.
    pub hosts: Vec<JobHost>,
    /// The ports to probe on each.
    pub ports: PortSet,
    /// Where no packet may go, checked again where packets leave.
    pub exclude: Vec<IpRange>,
}

impl Job {
    /// How many parts its snapshot has.
    pub fn parts(&self) -> u32 {
        u32::try_from(self.hosts.len().div_ceil(PART_HOSTS)).unwrap_or(u32::MAX)
    }

    /// True if no packet of this job may go to the address.
    pub fn is_excluded(&self, address: IpAddr) -> bool {
        self.exclude.iter().any(|range| range.contains(address))
    }
}
