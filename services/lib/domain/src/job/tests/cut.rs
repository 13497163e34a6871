//! Targets cut into jobs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::cut::{self, Known, Run};
use super::super::{Job, JobId, MAX_JOB_HOSTS, Priority};
use crate::ports::{Port, PortSet};
use crate::snapshot::PART_HOSTS;
use crate::target::{Address, IpRange, Switches, Target, TargetId, Zone};

const RUN: Run = Run {
    number: 7,
    now: Timestamp::UNIX_EPOCH,
    priority: Priority::Normal,
};

/// Addresses of a small world, so that items overlap and exclusions hit.
fn ip() -> impl Strategy<Value = IpAddr> {
    (0_u16..1500).prop_map(|n| IpAddr::V4(Ipv4Addr::from_bits(0xc612_0000 + u32::from(n))))
}

fn range(longest: u32) -> impl Strategy<Value = IpRange> {
    (ip(), 0..longest).prop_map(|(first, more)| {
        let IpAddr::V4(v4) = first else {
            unreachable!("the world is IPv4");
        };
        let last = Ipv4Addr::from_bits(v4.to_bits() + more);
        IpRange::new(first, last.into()).unwrap()
    })
}

fn names() -> impl Strategy<Value = Vec<(String, Vec<IpAddr>)>> {
    // Some answers of DNS are IPv4 written as IPv6.
    let answer = (ip(), any::<bool>()).prop_map(|(ip, is_mapped)| match ip {
        IpAddr::V4(v4) if is_mapped => IpAddr::V6(v4.to_ipv6_mapped()),
        other => other,
    });
    vec(("[a-z]{3}\\.example", vec(answer, 0..6)), 0..4)
}

fn ports() -> impl Strategy<Value = PortSet> {
    vec(1_u16..100, 1..10).prop_map(|numbers| numbers.into_iter().map(Port::tcp).collect())
}

prop_compose! {
    fn world()(
        resolved in names(),
        ranges in vec(range(700), 0..4),
        exclude in vec(range(100), 0..4),
        ports in ports(),
        open in proptest::collection::btree_map(ip(), ports(), 0..50),
        rate in 1_u32..100_000,
    ) -> (Target, Known) {
        let names = resolved.iter().map(|(name, _)| Address::Name(name.clone()));
        let target = Target {
            id: TargetId::derive("tests", "web"),
            name: "web".to_owned(),
            group: "default".to_owned(),
            zone: "dmz".parse::<Zone>().unwrap(),
            addresses: names.chain(ranges.into_iter().map(Address::Range)).collect(),
            exclude,
            ports,
            expected: None,
            interval: SignedDuration::from_mins(5),
            rate,
            switches: Switches::default(),
        };
        (target, Known { resolved, open })
    }
}

/// Every address that the target means, by the slow and plain way.
fn meant(target: &Target, known: &Known) -> BTreeSet<IpAddr> {
    let named = known.resolved.iter().flat_map(|(_, ips)| ips);
    let named = named.map(IpAddr::to_canonical);
    let ranges = target.addresses.iter().filter_map(Address::range);
    let literal = ranges.flat_map(|range| range.iter());
    let all = named.chain(literal);
    all.filter(|&ip| !target.exclude.iter().any(|range| range.contains(ip)))
        .collect()
}

fn hosts(jobs: &[Job]) -> Vec<IpAddr> {
    jobs.iter()
        .flat_map(|job| job.hosts.iter().map(|host| host.ip))
        .collect()
}

proptest! {
    #[test]
    fn each_host_once_and_none_that_is_excluded((target, known) in world()) {
        let jobs = cut::jobs(&target, RUN, &known);
        let hosts = hosts(&jobs);
        let once: BTreeSet<IpAddr> = hosts.iter().copied().collect();
        prop_assert_eq!(hosts.len(), once.len());
        prop_assert_eq!(once, meant(&target, &known));
        for job in &jobs {
            prop_assert!(job.hosts.iter().all(|host| !job.is_excluded(host.ip)));
            prop_assert_eq!(&job.exclude, &target.exclude, "checked again where packets leave");
        }
    }

    #[test]
    fn jobs_are_full_but_for_the_last((target, known) in world()) {
        let jobs = cut::jobs(&target, RUN, &known);
        for (at, job) in jobs.iter().enumerate() {
            let is_last = at + 1 == jobs.len();
            prop_assert!((1..=MAX_JOB_HOSTS).contains(&job.hosts.len()));
            prop_assert!(is_last || job.hosts.len() == MAX_JOB_HOSTS);
            prop_assert_eq!(job.parts() as usize, job.hosts.chunks(PART_HOSTS).count());
        }
    }

    #[test]
    fn jobs_are_told_apart_and_made_the_same_again((target, known) in world()) {
        let jobs = cut::jobs(&target, RUN, &known);
        prop_assert_eq!(&jobs, &cut::jobs(&target, RUN, &known));
        let next = cut::jobs(&target, Run { number: 8, ..RUN }, &known);
        let ids: HashSet<JobId> = jobs.iter().chain(&next).map(|job| job.id).collect();
        prop_assert_eq!(ids.len(), jobs.len() + next.len());
        for (job, index) in jobs.iter().zip(0..) {
            prop_assert_eq!(job.index, index);
            prop_assert_eq!(job.id, JobId::derive(target.id, 7, index));
        }
    }

    #[test]
    fn named_hosts_keep_their_first_name((target, known) in world()) {
        let mut first = BTreeMap::new();
        for (name, ips) in &known.resolved {
            for ip in ips {
                first.entry(ip.to_canonical()).or_insert(name);
            }
        }
        for job in cut::jobs(&target, RUN, &known) {
            for host in job.hosts {
                prop_assert_eq!(host.name.as_ref(), first.get(&host.ip).copied(), "{}", host.ip);
            }
        }
    }

    #[test]
    fn known_open_ports_are_those_still_watched((target, known) in world()) {
        for job in cut::jobs(&target, RUN, &known) {
            for host in &job.hosts {
                let open = known.open.get(&host.ip).cloned().unwrap_or_default();
                prop_assert_eq!(&host.known_open, &open.intersection(&target.ports));
            }
        }
    }

    #[test]
    fn a_job_says_what_its_target_says((target, known) in world()) {
        let run = Run { priority: Priority::High, ..RUN };
        for job in cut::jobs(&target, run, &known) {
            prop_assert_eq!((job.target, job.run), (target.id, 7));
            prop_assert_eq!((&job.zone, &job.ports), (&target.zone, &target.ports));
            prop_assert_eq!((job.priority, job.rate), (Priority::High, target.rate));
            prop_assert_eq!(job.created_at, RUN.now);
            prop_assert!(job.deadline > job.created_at);
        }
    }
}
