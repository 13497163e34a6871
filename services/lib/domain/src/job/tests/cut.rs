//! Targets cut into jobs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::cut::{self, Known, Run, Scope, USUAL_PORTS, scope_of_slot};
use super::super::{Job, JobId, MAX_JOB_HOSTS, MAX_JOB_PORTS, Priority};
use crate::ports::{Port, PortSet};
use crate::snapshot::PART_HOSTS;
use crate::target::{Address, IpRange, Target};

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
            addresses: names.chain(ranges.into_iter().map(Address::Range)).collect(),
            exclude,
            ports,
            rate,
            ..super::target()
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

fn set(text: &str) -> PortSet {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn of_addresses(addresses: &[&str]) -> Target {
    Target {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        ..super::target()
    }
}

/// How often each port of each host is asked, whatever the job.
fn asked(jobs: &[Job]) -> BTreeMap<(IpAddr, Port), u32> {
    let mut asked = BTreeMap::new();
    for job in jobs {
        for host in &job.hosts {
            for port in job.ports.iter() {
                *asked.entry((host.ip, port)).or_default() += 1;
            }
        }
    }
    asked
}

#[test]
fn many_ports_are_cut_and_each_asked_once() {
    let target = Target {
        ports: set("all,udp:53"),
        ..of_addresses(&["198.18.0.0/31"])
    };
    let jobs = cut::jobs(&target, RUN, &Known::default());
    assert_eq!(jobs.len(), 4);
    assert!(jobs.iter().all(|job| job.ports.len() <= MAX_JOB_PORTS));
    let asked = asked(&jobs);
    assert_eq!(asked.len(), 2 * 65_536);
    assert!(asked.values().all(|&times| times == 1));
}

#[test]
fn hosts_are_cut_by_ports_as_well() {
    let target = Target {
        ports: set("1-40000"),
        ..of_addresses(&["198.18.0.0/22"])
    };
    let jobs = cut::jobs(&target, RUN, &Known::default());
    assert_eq!(jobs.len(), 4 * 3);
    let pairs: usize = jobs
        .iter()
        .map(|job| job.hosts.len() * job.ports.len())
        .sum();
    assert_eq!(pairs, 1024 * 40_000);
    let of_port = |port| {
        let with = jobs
            .iter()
            .filter(move |job| job.ports.contains(Port::tcp(port)));
        let hosts: BTreeSet<IpAddr> = with
            .flat_map(|job| job.hosts.iter().map(|h| h.ip))
            .collect();
        hosts.len()
    };
    assert_eq!([1, 16_384, 16_385, 40_000].map(of_port), [1024; 4]);
}

/// What is open elsewhere shows that a host which is silent on a part of its ports is there.
#[test]
fn a_part_of_the_ports_comes_with_open_ones() {
    let target = Target {
        ports: set("all"),
        ..of_addresses(&["198.18.0.1"])
    };
    let open = [(address("198.18.0.1"), set("22,80,443,50000"))].into();
    let known = Known {
        open,
        ..Known::default()
    };
    let jobs = cut::jobs(&target, RUN, &known);
    for job in &jobs {
        assert!(set("22,80").is_subset(&job.ports));
        assert!(job.hosts[0].known_open.is_subset(&job.ports));
    }
    assert_eq!(asked(&jobs).len(), 65_535);

    let verify = Scope::Part {
        hosts: Some(vec![address("198.18.0.1")]),
        ports: Some(set("8080,udp:53")),
    };
    let jobs = cut::jobs_in(&target, RUN, &known, &verify);
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        jobs[0].ports,
        set("22,80,8080"),
        "what is not watched is not asked"
    );
}

#[test]
fn what_is_asked_for_must_be_the_targets() {
    let target = Target {
        exclude: vec!["198.18.0.3".parse().unwrap()],
        ..of_addresses(&["198.18.0.0/29", "www.example"])
    };
    let resolved = vec![("www.example".to_owned(), vec![address("198.18.9.9")])];
    let known = Known {
        resolved,
        ..Known::default()
    };
    let wanted = [
        "198.18.0.1",
        "198.18.0.1",
        "198.18.0.3",
        "198.18.0.9",
        "198.18.9.9",
        "198.18.9.8",
    ];
    let scope = Scope::Part {
        hosts: Some(wanted.map(address).into()),
        ports: None,
    };
    let jobs = cut::jobs_in(&target, RUN, &known, &scope);
    let mut found = hosts(&jobs);
    found.sort_unstable();
    assert_eq!(found, ["198.18.0.1", "198.18.9.9"].map(address));
    let nothing = Scope::Part {
        hosts: None,
        ports: Some(set("9")),
    };
    assert_eq!(cut::jobs_in(&target, RUN, &known, &nothing), []);
}

#[test]
fn blocks_are_searched_for_hosts_first() {
    let target = Target {
        ports: set("top1000"),
        discovery: true,
        ..of_addresses(&["198.18.0.0/24", "198.18.0.7", "198.18.1.0-198.18.1.9"])
    };
    let open = [(address("198.18.0.200"), set("22,9999"))].into();
    let known = Known {
        open,
        ..Known::default()
    };
    let jobs = cut::jobs_in(&target, RUN, &known, &Scope::Discovery);
    let [alone, swept] = jobs.as_slice() else {
        panic!("{} jobs", jobs.len());
    };
    assert_eq!((alone.hosts.len(), alone.ports.len()), (11, 1000));
    assert_eq!(swept.hosts.len(), 255);
    assert_eq!(
        swept.ports.len(),
        USUAL_PORTS.len() + 1,
        "the usual ones, and 9999"
    );

    let found = Scope::Found(
        ["198.18.0.7", "198.18.0.8", "198.18.0.200"]
            .map(address)
            .into(),
    );
    let jobs = cut::jobs_in(&target, RUN, &known, &found);
    let mut hosts = hosts(&jobs);
    hosts.sort_unstable();
    assert_eq!(
        hosts,
        ["198.18.0.8", "198.18.0.200"].map(address),
        "7 was scanned in full"
    );
    assert_eq!(jobs[0].ports, target.ports);
}

#[test]
fn hosts_are_looked_for_where_that_pays_and_all_ports_are_asked_once_a_day() {
    let block = Target {
        ports: set("top100"),
        discovery: true,
        ..of_addresses(&["198.18.0.0/28"])
    };
    let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
    let scope = |target: &Target, full_at| scope_of_slot(target, full_at, at(100));
    assert_eq!(scope(&block, None), Scope::Whole);
    assert_eq!(scope(&block, Some(at(77))), Scope::Discovery);
    assert_eq!(scope(&block, Some(at(76))), Scope::Whole);
    assert_eq!(
        scope(&block, Some(at(200))),
        Scope::Whole,
        "the clock was set back"
    );
    let others = [
        Target {
            discovery: false,
            ..block.clone()
        },
        Target {
            ports: set("1-64"),
            ..block.clone()
        },
        Target {
            addresses: of_addresses(&["198.18.0.0/29", "www.example"]).addresses,
            ..block
        },
    ];
    for other in others {
        assert_eq!(scope(&other, Some(at(99))), Scope::Whole);
    }
}

/// In every stretch of the order each network has about its share.
#[test]
fn neighbours_are_far_apart() {
    let target = of_addresses(&["198.18.0.0/20", "fd00:198:18::/118", "fd00:198:18:1::/118"]);
    let jobs = cut::jobs(&target, RUN, &Known::default());
    assert_eq!(jobs.len(), 24);
    for job in &jobs {
        let mut of_network: BTreeMap<String, usize> = BTreeMap::new();
        for host in &job.hosts {
            let network = match host.ip {
                IpAddr::V4(v4) => format!("{:?}", &v4.octets()[..3]),
                IpAddr::V6(v6) => format!("{:?}", &v6.segments()[..4]),
            };
            *of_network.entry(network).or_default() += 1;
        }
        // 16 networks of 256 and two of 1,024 among 6,144 hosts.
        assert_eq!(of_network.len(), 18);
        for (network, hosts) in of_network {
            let share = if network.len() > 14 { 42 } else { 10 };
            assert!(hosts.abs_diff(share) <= 2, "{network}: {hosts}");
        }
    }
    let other = cut::jobs(&target, Run { number: 8, ..RUN }, &Known::default());
    assert_ne!(hosts(&jobs), hosts(&other), "another order in each run");
}
