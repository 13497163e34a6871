//! How far a job is, as its worker tells those who wait for it.

use jiff::Timestamp;

use super::{Job, JobId};
use crate::target::TargetId;

/// How far a job is. Each report stands by itself: the next one says all of it again, and one that is lost is
/// not missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which job.
    pub job: JobId,
    /// For which target.
    pub target: TargetId,
    /// Who does it.
    pub worker: String,
    /// When the rest was true.
    pub at: Timestamp,
    /// Probes that left until now. Those that are lost are sent again, so there may be more than planned.
    pub sent: u64,
    /// How many probes it takes if none is lost, at least 1: the ports of all hosts.
    pub planned: u64,
    /// Answers that prove that they answer a probe of this job.
    pub answered: u64,
    /// Ports that are open, as far as is known. Fewer later if a host turns out to answer *open* on everything.
    pub open: u64,
}

impl Job {
    /// How many probes it takes if none is lost: the ports of all hosts, at least 1.
    pub fn planned_probes(&self) -> u64 {
        let (hosts, ports) = (self.hosts.len() as u64, self.ports.len() as u64);
        hosts.saturating_mul(ports).max(1)
    }
}
