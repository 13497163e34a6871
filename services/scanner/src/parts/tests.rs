#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use portwatch_domain::job::{JobHost, JobId, Priority};
use portwatch_domain::snapshot::service::SafeText;
use portwatch_domain::snapshot::{Answer, Evidence, HostState, Method, PortState, PortVerdict};
use portwatch_domain::target::{TargetId, Zone};
use portwatch_schemas::{Meta, TraceParent, encode};
use uuid::Uuid;

use super::*;

fn job(hosts: u8) -> Job {
    let target = TargetId::derive("tests", "parts");
    let host = |last| JobHost {
        ip: IpAddr::V4(Ipv4Addr::new(198, 18, 0, last)),
        name: None,
        known_open: PortSet::empty(),
    };
    Job {
        id: JobId::derive(target, 1, 0),
        target,
        run: 1,
        index: 0,
        zone: Zone::default(),
        priority: Priority::Normal,
        created_at: Timestamp::UNIX_EPOCH,
        deadline: Timestamp::UNIX_EPOCH,
        rate: 1,
        hosts: (0..hosts).map(host).collect(),
        ports: PortSet::all_tcp(),
        exclude: Vec::new(),
    }
}

/// A scan that found these ports open on each host, and every other one filtered.
fn scan(job: &Job, open: impl Fn(u16) -> bool) -> Scan {
    let evidence = Evidence {
        answer: Answer::SynAck,
        ttl: Some(64),
        rtt: Some(std::time::Duration::from_micros(123)),
        probes: 2,
    };
    let verdict = |port| PortVerdict {
        port: Port::tcp(port),
        state: PortState::Open,
        evidence,
        service: None,
    };
    let report = |host: &JobHost| HostReport {
        state: HostState::Up,
        coverage: PortSet::all_tcp(),
        ports: (1..=u16::MAX)
            .filter(|&port| open(port))
            .map(verdict)
            .collect(),
        filtered: (1..=u16::MAX)
            .filter(|&port| !open(port) && port % 2 == 0 && port < 20_000)
            .map(Port::tcp)
            .collect(),
        ..HostReport::unknown(host.ip, None)
    };
    Scan {
        hosts: job.hosts.iter().map(report).collect(),
        rejected: Vec::new(),
        undecided: Vec::new(),
        method: Method::Syn,
        probes: 0,
        answers: 0,
        unproven: 0,
        overflows: 0,
        complete: true,
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
    }
}

fn fits(snapshot: &Snapshot) -> bool {
    let meta = Meta {
        id: Uuid::from_u128(1),
        source: "/portwatch/scanner".to_owned(),
        time: Timestamp::UNIX_EPOCH,
        trace: TraceParent::new(1, 1),
    };
    encode(&meta, snapshot).is_ok()
}

#[test]
fn parts_stand_for_the_same_hosts_in_the_order_of_the_job() {
    let job = job(70);
    let parts = parts(&job, &scan(&job, |_| false), "w1");
    assert_eq!(parts.len(), 3);
    assert!(
        parts
            .iter()
            .zip(0..)
            .all(|(part, index)| part.part == index && part.parts == 3)
    );
    let hosts: Vec<_> = parts
        .iter()
        .flat_map(|part| &part.hosts)
        .map(|report| report.ip)
        .collect();
    assert_eq!(
        hosts,
        job.hosts.iter().map(|host| host.ip).collect::<Vec<_>>()
    );
}

/// The first size that fits, as the service looks for it.
fn fitting(part: &Snapshot) -> (u32, Snapshot) {
    (1..=16)
        .map(|level| (level, shrunk(part, level)))
        .find(|(_, part)| fits(part))
        .unwrap()
}

#[test]
fn what_is_too_large_loses_coverage_and_no_host() {
    let job = job(6);
    let mut part = parts(&job, &scan(&job, |port| port % 250 == 0), "w1").remove(0);
    assert!(!fits(&part));
    let mut covered = PortSet::empty();
    let mut deepest = 1;
    let mut runs = 0;
    while runs < 1 << deepest {
        part.run = runs;
        runs += 1;
        let (level, smaller) = fitting(&part);
        deepest = deepest.max(level);
        assert_eq!(smaller.hosts.len(), 6);
        for report in &smaller.hosts {
            report.check().unwrap();
        }
        covered = covered.union(&smaller.hosts[0].coverage);
    }
    assert_eq!(covered, PortSet::all_tcp(), "no port is left out for ever");
}

#[test]
fn what_listens_there_is_left_out_before_any_port_is() {
    let job = job(32);
    let mut scan = scan(&job, |port| port <= 64);
    let service = Service {
        product: Some(SafeText::new("nginx")),
        banner: Some(SafeText::new(&"x".repeat(512))),
        ..Service::default()
    };
    let verdicts = scan.hosts.iter_mut().flat_map(|report| &mut report.ports);
    verdicts.for_each(|verdict| verdict.service = Some(service.clone()));
    for report in &mut scan.hosts {
        report.filtered = PortSet::empty();
    }
    let part = parts(&job, &scan, "w1").remove(0);
    assert_eq!(smaller(&part, 0), part);
    for (level, left) in [(1, Some(service.in_short())), (2, None)] {
        let smaller = smaller(&part, level);
        for (report, before) in smaller.hosts.iter().zip(&part.hosts) {
            assert_eq!(report.coverage, before.coverage);
            assert_eq!(report.ports.len(), before.ports.len());
            assert!(report.ports.iter().all(|verdict| verdict.service == left));
        }
    }
    assert!(!fits(&part) && fits(&smaller(&part, 2)));
}

#[test]
fn one_host_that_says_too_much_costs_the_others_nothing() {
    let job = job(20);
    let mut scan = scan(&job, |_| false);
    for report in &mut scan.hosts[1..] {
        report.filtered = PortSet::empty();
    }
    let part = parts(&job, &scan, "w1").remove(0);
    let (_, smaller) = fitting(&part);
    assert!(
        smaller.hosts[1..]
            .iter()
            .all(|report| report.coverage == PortSet::all_tcp())
    );
}
