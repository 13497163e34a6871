//! Version 1 of the job.

use std::collections::HashSet;
use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::job::{Job, JobHost, JobId, MAX_JOB_HOSTS, Priority};
use portwatch_domain::target::{IpRange, TargetId, Zone};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::{Message, OnWire};
use crate::error::{Misfit, Problem};
use crate::text::{HostName, Ip, Ports, Text};

#[derive(Serialize, Deserialize)]
pub struct JobWire {
    job: Uuid,
    target_id: Uuid,
    run: u64,
    index: u32,
    zone: Text<Zone>,
    priority: Text<Priority>,
    created_at: Timestamp,
    deadline: Timestamp,
    rate: u32,
    hosts: Vec<HostWire>,
    ports: Text<Ports>,
    exclude: Vec<Text<IpRange>>,
}

#[derive(Serialize, Deserialize)]
struct HostWire {
    ip: Text<Ip>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<HostName>>,
    known_open: Text<Ports>,
}

impl From<&Job> for JobWire {
    fn from(job: &Job) -> Self {
        let host = |host: &JobHost| HostWire {
            ip: Text(Ip(host.ip)),
            name: host.name.clone().map(HostName).map(Text),
            known_open: Text(Ports(host.known_open.clone())),
        };
        Self {
            job: job.id.0,
            target_id: job.target.0,
            run: job.run,
            index: job.index,
            zone: Text(job.zone.clone()),
            priority: Text(job.priority),
            created_at: job.created_at,
            deadline: job.deadline,
            rate: job.rate,
            hosts: job.hosts.iter().map(host).collect(),
            ports: Text(Ports(job.ports.clone())),
            exclude: job.exclude.iter().copied().map(Text).collect(),
        }
    }
}

impl TryFrom<JobWire> for Job {
    type Error = Misfit;

    fn try_from(wire: JobWire) -> Result<Self, Misfit> {
        let host = |host: HostWire| JobHost {
            ip: host.ip.0.0,
            name: host.name.map(|name| name.0.0),
            known_open: host.known_open.0.0,
        };
        let job = Self {
            id: JobId(wire.job),
            target: TargetId(wire.target_id),
            run: wire.run,
            index: wire.index,
            zone: wire.zone.0,
            priority: wire.priority.0,
            created_at: wire.created_at,
            deadline: wire.deadline,
            rate: wire.rate,
            hosts: wire.hosts.into_iter().map(host).collect(),
            ports: wire.ports.0.0,
            exclude: wire.exclude.into_iter().map(|range| range.0).collect(),
        };
        check(&job).map(|()| job)
    }
}

fn check(job: &Job) -> Result<(), Misfit> {
    if job.run == 0 {
        return Err(Misfit::new("run", Problem::Zero));
    }
    if job.rate == 0 {
        return Err(Misfit::new("rate", Problem::Zero));
    }
    if job.deadline <= job.created_at {
        return Err(Misfit::new("deadline", Problem::Deadline));
    }
    if job.ports.is_empty() {
        return Err(Misfit::new("ports", Problem::Empty));
    }
    check_hosts(job.hosts.iter().map(|host| host.ip), MAX_JOB_HOSTS)?;
    match job.hosts.iter().position(|host| job.is_excluded(host.ip)) {
        Some(at) => {
            let excluded = Problem::Excluded(job.hosts[at].ip);
            Err(Misfit::new(format!("hosts[{at}].ip"), excluded))
        }
        None => Ok(()),
    }
}

/// At least one host, at most `most`, each once.
pub fn check_hosts(
    hosts: impl ExactSizeIterator<Item = IpAddr>,
    most: usize,
) -> Result<(), Misfit> {
    let found = hosts.len();
    if found == 0 {
        return Err(Misfit::new("hosts", Problem::Empty));
    }
    if found > most {
        return Err(Misfit::new("hosts", Problem::TooMany { found, most }));
    }
    let mut seen = HashSet::new();
    for (at, ip) in hosts.enumerate() {
        if !seen.insert(ip) {
            return Err(Misfit::new(format!("hosts[{at}].ip"), Problem::Twice(ip)));
        }
    }
    Ok(())
}

impl OnWire for Job {
    type Wire = JobWire;

    fn to_wire(&self) -> JobWire {
        self.into()
    }

    fn from_wire(wire: JobWire) -> Result<Self, Misfit> {
        wire.try_into()
    }
}

impl Message for Job {
    const TYPE: &'static str = "io.portwatch.job.v1";
    const SCHEMA: &'static str = "urn:portwatch:schema:job:v1";

    /// The job's id.
    fn subject(&self) -> String {
        self.id.to_string()
    }
}
