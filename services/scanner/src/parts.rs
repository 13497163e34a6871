//! Cuts what was seen into the parts of a snapshot, each small enough for a message.

use portwatch_domain::job::Job;
use portwatch_domain::ports::{Port, PortSet, Protocol};
use portwatch_domain::snapshot::{HostReport, PART_HOSTS, Service, Snapshot};

use crate::scan::Scan;

/// A part stands for the same hosts however often the job is run.
pub(crate) fn parts(job: &Job, scan: &Scan, worker: &str) -> Vec<Snapshot> {
    scan.hosts
        .chunks(PART_HOSTS)
        .zip(0..)
        .map(|(hosts, part)| Snapshot {
            job: job.id,
            target: job.target,
            run: job.run,
            part,
            parts: job.parts(),
            method: scan.method,
            worker: worker.to_owned(),
            started_at: scan.started_at,
            finished_at: scan.finished_at,
            hosts: hosts.to_vec(),
        })
        .collect()
}

/// Above this level, hosts of which little is said are cut as well.
const SPARED_LEVELS: u32 = 8;

/// The same part, with only one in 2^`level` of the covered ports of the hosts of which most is said. What is not
/// covered cannot change; which ports are kept depends on the run, so that none is left out for ever.
fn shrunk(part: &Snapshot, level: u32) -> Snapshot {
    let total: usize = part.hosts.iter().map(weight).sum();
    let mean = total / part.hosts.len().max(1);
    let mut smaller = part.clone();
    for report in &mut smaller.hosts {
        if level > SPARED_LEVELS || weight(report) >= mean {
            keep_slice(report, part.run, level);
        }
    }
    smaller
}

/// The same part with less said: of what listens on its ports only the names, then nothing, and then of ever
/// fewer ports. Whether a port is open matters more than what it says.
pub(crate) fn smaller(part: &Snapshot, level: u32) -> Snapshot {
    let mut smaller = part.clone();
    for verdict in smaller.hosts.iter_mut().flat_map(|host| &mut host.ports) {
        verdict.service = match level {
            1 => verdict.service.as_ref().map(Service::in_short),
            _ => None,
        };
    }
    match level {
        0 => part.clone(),
        1..=LEVELS_OF_SERVICES => smaller,
        _ => shrunk(&smaller, level - LEVELS_OF_SERVICES),
    }
}

/// So many levels cost no coverage.
pub(crate) const LEVELS_OF_SERVICES: u32 = 2;

fn keep_slice(report: &mut HostReport, run: u64, level: u32) {
    let ports: Vec<Port> = report.coverage.iter().collect();
    // Each level halves the slice of the level before, the lower or upper half by one bit of the run. So the
    // slices of all runs together are all ports, even if some of them fit at a lower level than others.
    let level = level.clamp(1, 32);
    let slices = 1_usize << level;
    let slice = usize::try_from(run.reverse_bits() >> (u64::BITS - level)).unwrap_or_default();
    let length = ports.len().div_ceil(slices);
    let start = (slice * length).min(ports.len());
    let end = (start + length).min(ports.len());
    let kept: PortSet = ports[start..end].iter().copied().collect();
    report.coverage = report.coverage.intersection(&kept);
    report.filtered = report.filtered.intersection(&kept);
    report.ports.retain(|verdict| kept.contains(verdict.port));
}

/// Roughly how many numbers it takes to write the report down.
fn weight(report: &HostReport) -> usize {
    let ranges = |ports: &PortSet| {
        let of = |protocol| ports.ranges(protocol).len();
        of(Protocol::Tcp) + of(Protocol::Udp)
    };
    8 * report.ports.len() + 2 * (ranges(&report.coverage) + ranges(&report.filtered))
}

#[cfg(test)]
mod tests;
