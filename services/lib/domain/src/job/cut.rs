//! Cuts a target, or a part of it, into jobs.

mod order;
mod scope;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Job, JobHost, JobId, MAX_JOB_HOSTS, MAX_JOB_PORTS, Priority, due};
use crate::ports::{Port, PortSet};
use crate::target::{Address, IpRange, Target};

pub use scope::{FULL_EVERY, Scope, USUAL_PORTS, scope_of_slot};

/// How many of its open ports are asked of a host along with those that are looked at, where that is a part of the
/// target's: its answers there tell a silent port from a silent path or a host that is gone.
const CONTROLS: usize = 2;

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

/// The jobs of one run of a whole target: each port of each host once, none of a host that is excluded, at most
/// [`MAX_JOB_HOSTS`] hosts × [`MAX_JOB_PORTS`] ports a job, neighbours in a network far apart. The deadline leaves
/// time for one worker to run them all in turn.
pub fn jobs(target: &Target, run: Run, known: &Known) -> Vec<Job> {
    jobs_in(target, run, known, &Scope::Whole)
}

/// The same, of a part of the target. Where a job asks for a part of the target's ports, it asks each host for up to
/// two of its open ports as well.
pub fn jobs_in(target: &Target, run: Run, known: &Known, scope: &Scope) -> Vec<Job> {
    cut(target, run, known, scope, (MAX_JOB_HOSTS, MAX_JOB_PORTS))
}

/// The whole target with at most `size` hosts a job, for a scan that sends no messages.
pub fn jobs_of(target: &Target, run: Run, known: &Known, size: usize) -> Vec<Job> {
    cut(target, run, known, &Scope::Whole, (size, usize::MAX))
}

/// Hosts of which the same is asked.
struct Group {
    hosts: Vec<IpAddr>,
    ports: PortSet,
    /// Their known open ports are asked for as well, all of them or two.
    open: Open,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    All,
    Controls,
}

fn cut(
    target: &Target,
    run: Run,
    known: &Known,
    scope: &Scope,
    (most_hosts, most_ports): (usize, usize),
) -> Vec<Job> {
    let names = names(known);
    let groups = groups(target, known, &names, scope);
    let (most_hosts, most_ports) = (most_hosts.max(1), most_ports.max(1));
    let mut pieces = Vec::new();
    for mut group in groups {
        order::spread(&mut group.hosts, order::seed(target.id, run.number));
        for ports in chunks(&group.ports, most_ports) {
            let hosts = group.hosts.chunks(most_hosts);
            pieces.extend(hosts.map(|hosts| {
                let ports = with_open(target, known, hosts, &ports, group.open);
                (hosts.to_vec(), ports)
            }));
        }
    }
    let probes = pieces.iter().map(|(hosts, ports)| {
        let hosts = hosts.len() as u64;
        hosts.saturating_mul(ports.len() as u64)
    });
    let deadline = due::deadline(target, probes.fold(0, u64::saturating_add), run.now);
    let piece = |((hosts, ports), index): ((Vec<IpAddr>, PortSet), u32)| Job {
        id: JobId::derive(target.id, run.number, index),
        target: target.id,
        run: run.number,
        index,
        zone: target.zone.clone(),
        priority: run.priority,
        created_at: run.now,
        deadline,
        rate: target.rate,
        hosts: hosts
            .into_iter()
            .map(|ip| host(ip, known, &names, &ports))
            .collect(),
        ports,
        exclude: target.exclude.clone(),
    };
    pieces.into_iter().zip(0_u32..).map(piece).collect()
}

/// The first name of each address that has any.
fn names(known: &Known) -> HashMap<IpAddr, &str> {
    let mut names = HashMap::new();
    for (name, addresses) in &known.resolved {
        for ip in addresses {
            names.entry(ip.to_canonical()).or_insert(name.as_str());
        }
    }
    names
}

/// The hosts to look at, each once, by what is asked of them.
fn groups(
    target: &Target,
    known: &Known,
    names: &HashMap<IpAddr, &str>,
    scope: &Scope,
) -> Vec<Group> {
    let whole = |hosts| Group {
        hosts,
        ports: target.ports.clone(),
        open: Open::Controls,
    };
    match scope {
        Scope::Whole => vec![whole(hosts(target, known))],
        Scope::Discovery => {
            let (alone, swept) = hosts(target, known)
                .into_iter()
                .partition(|&ip| scope::is_alone(target, names, ip));
            let discovery = Group {
                hosts: swept,
                ports: USUAL_PORTS.into_iter().map(Port::tcp).collect(),
                open: Open::All,
            };
            vec![whole(alone), discovery]
        }
        Scope::Found(found) => {
            let mut found = those(target, names, found);
            found.retain(|&ip| !scope::is_alone(target, names, ip));
            vec![whole(found)]
        }
        Scope::Part { hosts: part, ports } => {
            let hosts = match part {
                Some(part) => those(target, names, part),
                None => hosts(target, known),
            };
            let ports = ports.as_ref().unwrap_or(&target.ports);
            vec![Group {
                hosts,
                ports: ports.intersection(&target.ports),
                open: Open::Controls,
            }]
        }
    }
}

/// Every address of the target that is not excluded, once.
fn hosts(target: &Target, known: &Known) -> Vec<IpAddr> {
    let named = known.resolved.iter().flat_map(|(_, ips)| ips);
    let mut seen = HashSet::new();
    named
        .map(IpAddr::to_canonical)
        .chain(target.literal_hosts())
        .filter(|&ip| !target.is_excluded(ip) && seen.insert(ip))
        .collect()
}

/// Those of the addresses that are the target's and not excluded, once.
fn those(target: &Target, names: &HashMap<IpAddr, &str>, wanted: &[IpAddr]) -> Vec<IpAddr> {
    let ranges: Vec<IpRange> = target.addresses.iter().filter_map(Address::range).collect();
    let mut seen = HashSet::new();
    let wanted = wanted.iter().map(IpAddr::to_canonical);
    wanted
        .filter(|&ip| names.contains_key(&ip) || ranges.iter().any(|range| range.contains(ip)))
        .filter(|&ip| !target.is_excluded(ip) && seen.insert(ip))
        .collect()
}

/// The ports in parts of at most so many.
fn chunks(ports: &PortSet, most: usize) -> Vec<PortSet> {
    if ports.is_empty() {
        return Vec::new();
    }
    if ports.len() <= most {
        return vec![ports.clone()];
    }
    let all: Vec<Port> = ports.iter().collect();
    all.chunks(most)
        .map(|part| part.iter().copied().collect())
        .collect()
}

/// The ports of a job: a part of the target's, and what is asked along with it.
fn with_open(
    target: &Target,
    known: &Known,
    hosts: &[IpAddr],
    ports: &PortSet,
    open: Open,
) -> PortSet {
    if target.ports.is_subset(ports) {
        return ports.clone();
    }
    let most = if open == Open::All {
        usize::MAX
    } else {
        CONTROLS
    };
    let mut with = ports.clone();
    for open in hosts.iter().filter_map(|ip| known.open.get(ip)) {
        let watched = open.intersection(&target.ports);
        for port in watched.iter().take(most) {
            with.insert(port);
        }
    }
    with
}

fn host(ip: IpAddr, known: &Known, names: &HashMap<IpAddr, &str>, ports: &PortSet) -> JobHost {
    let open = known.open.get(&ip);
    JobHost {
        ip,
        name: names.get(&ip).map(|&name| name.to_owned()),
        known_open: open
            .map(|open| open.intersection(ports))
            .unwrap_or_default(),
    }
}
