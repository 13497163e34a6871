//! Cuts a target into jobs.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Job, JobHost, JobId, MAX_JOB_HOSTS, Priority, due};
use crate::ports::PortSet;
use crate::target::Target;

/// What the jobs of one run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The run's number, from 1.
    pub number: u64,
    /// When the jobs are made.
    pub now: Timestamp,
    /// Which queue they wait in.
    pub priority: Priority,
}

/// What is known when a run's jobs are made.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The addresses of each of the target's names.
    pub resolved: Vec<(String, Vec<IpAddr>)>,
    /// The ports last known open of each host.
    pub open: BTreeMap<IpAddr, PortSet>,
}

/// The jobs of one run of a target: each host once, none that is excluded, at most
/// [`MAX_JOB_HOSTS`] hosts a job. The deadline leaves time for one worker to run them all in turn.
pub fn jobs(target: &Target, run: Run, known: &Known) -> Vec<Job> {
    jobs_of(target, run, known, MAX_JOB_HOSTS)
}

/// The same, with at most `size` hosts a job, for a scan that sends no messages.
pub fn jobs_of(target: &Target, run: Run, known: &Known, size: usize) -> Vec<Job> {
    let hosts = hosts(target, known);
    let probes = (hosts.len() as u64).saturating_mul(target.ports.len() as u64);
    let deadline = due::deadline(target, probes, run.now);
    hosts
        .chunks(size.max(1))
        .zip(0_u32..)
        .map(|(chunk, index)| Job {
            id: JobId::derive(target.id, run.number, index),
            target: target.id,
            run: run.number,
            index,
            zone: target.zone.clone(),
            priority: run.priority,
            created_at: run.now,
            deadline,
            rate: target.rate,
            hosts: chunk.to_vec(),
            ports: target.ports.clone(),
            exclude: target.exclude.clone(),
        })
        .collect()
}

/// Every address of the target that is not excluded, once, named hosts first.
fn hosts(target: &Target, known: &Known) -> Vec<JobHost> {
    let named = known.resolved.iter().flat_map(|(name, addresses)| {
        addresses
            .iter()
            .map(move |ip| (ip.to_canonical(), Some(name.clone())))
    });
    let literal = target.literal_hosts().map(|ip| (ip, None));
    let mut seen = HashSet::new();
    named
        .chain(literal)
        .filter(|&(ip, _)| !target.is_excluded(ip) && seen.insert(ip))
        .map(|(ip, name)| {
            let known_open = known
                .open
                .get(&ip)
                .map(|open| open.intersection(&target.ports));
            JobHost {
                ip,
                name,
                known_open: known_open.unwrap_or_default(),
            }
        })
        .collect()
}
