//! Records and transitions in which everything has a value of its own.

use std::net::IpAddr;
use std::time::Duration;

use portwatch_domain::change::compare::Past;
use portwatch_domain::change::{
    Change, ChangeId, Findings, Flapping, HostRecord, PortRecord, Runs, Severity, SoftHost,
    SoftPort, Transition,
};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, Evidence, HostState, PortState, Service};
use portwatch_store::Store;
use portwatch_store::history::{HistoryFilter, HistoryRow, Subject};
use portwatch_store::snapshots::{Applied, Decide, Decided};

use crate::samples::{at, evidence, full_service, ip, part, ports, report, target};
use crate::snapshots::one_target;

fn serving(mut record: PortRecord, service: Service) -> PortRecord {
    record.service = Some(service);
    record
}

fn soft(mut record: PortRecord, evidence: Evidence, service: Option<Service>) -> PortRecord {
    record.soft = Some(Box::new(SoftPort {
        state: PortState::Filtered,
        evidence,
        service,
        since: at(9),
        scans: 255,
    }));
    record
}

fn port(state: PortState, evidence: Evidence, n: i64) -> PortRecord {
    PortRecord {
        state,
        since: at(n),
        first_seen: at(n - 1),
        last_seen: at(n + 1),
        transition: u64::try_from(n).unwrap(),
        evidence,
        service: None,
        soft: None,
        flapping: Flapping {
            window: u32::try_from(n).unwrap(),
            flaps: n == 4,
        },
    }
}

/// Ports in which every field has a value of its own.
fn all_ports() -> [(Port, PortRecord); 5] {
    let silent = Evidence {
        answer: Answer::NoResponse,
        ttl: None,
        rtt: None,
        probes: 9,
    };
    let answered = Evidence {
        answer: Answer::UdpReply,
        ttl: Some(64),
        rtt: Some(Duration::from_micros(1)),
        probes: 1,
    };
    let rejected = Evidence {
        answer: Answer::IcmpUnreachable(13),
        ttl: Some(255),
        rtt: Some(Duration::from_micros(u32::MAX.into())),
        probes: u16::MAX,
    };
    let open = || port(PortState::Open, evidence(), 1);
    let filtered = port(PortState::Filtered, silent, 2);
    let closed = port(PortState::Closed, rejected, 3);
    [
        (Port::tcp(65535), serving(open(), full_service())),
        (Port::tcp(65534), serving(open(), Service::default())),
        (Port::tcp(1), soft(filtered, rejected, Some(full_service()))),
        (Port::udp(1), soft(closed, silent, None)),
        (Port::udp(53), port(PortState::Open, answered, 4)),
    ]
}

/// A record in which every field has a value of its own, and one in which all that can be is empty.
fn records() -> Vec<HostRecord> {
    let full = HostRecord {
        ip: "fd00:198:18::1".parse().unwrap(),
        name: Some("db.example.org".to_owned()),
        state: HostState::Down,
        suspect: true,
        since: Some(at(5)),
        last_seen: Some(at(6)),
        soft: Some(SoftHost {
            state: HostState::Up,
            since: at(7),
            scans: 3,
        }),
        flapping: Flapping {
            window: (1 << 20) - 1,
            flaps: true,
        },
        runs: Runs::kept(
            7,
            5,
            vec![(7, ports("22,udp:all")), (3, ports("8000-8100"))],
        ),
        transition: 8,
        baseline: ports("22,8000-8100,udp:all"),
        approved: None,
        findings: Findings {
            unexpected_open: 3,
            expected_closed: 4,
        },
        ports: all_ports().into(),
    };
    vec![
        HostRecord {
            runs: Runs::kept(7, 7, Vec::new()),
            ..HostRecord::new(ip(1))
        },
        full,
    ]
}

/// One of each kind that a host can have, newest first.
fn transitions() -> [Transition; 8] {
    let dns = Port::udp(53);
    let of_port = |before, after, service: Option<Service>| Transition::Port {
        port: dns,
        before,
        after,
        evidence: evidence(),
        expected: service.is_some(),
        service,
    };
    let port_flapping = |begins, state| Transition::PortFlapping {
        port: dns,
        begins,
        state,
    };
    [
        Transition::HostFlapping {
            begins: false,
            state: HostState::Unknown,
        },
        Transition::HostFlapping {
            begins: true,
            state: HostState::Up,
        },
        port_flapping(false, PortState::Filtered),
        port_flapping(true, PortState::Open),
        Transition::Service {
            port: dns,
            before: full_service(),
            after: Service::default(),
        },
        of_port(PortState::Closed, PortState::Filtered, None),
        of_port(PortState::Unknown, PortState::Open, Some(full_service())),
        Transition::Host {
            before: HostState::Unknown,
            after: HostState::Up,
            suspect: true,
        },
    ]
}

/// One row of each kind that a host can have, newest first.
fn history() -> Vec<HistoryRow> {
    let id = target("a").id;
    let severities = [
        Severity::Info,
        Severity::Low,
        Severity::Medium,
        Severity::High,
    ];
    let numbered = (1..=8).rev().zip(transitions());
    let row = |((n, transition), severity): ((u64, Transition), _)| HistoryRow {
        about: Subject::Host {
            target: id,
            ip: ip(1),
        },
        run: Some(1),
        job: Some(JobId::derive(id, 1, 0)),
        change: Change {
            id: match transition.port() {
                Some(port) => ChangeId::of_port(id, ip(1), port, n),
                None => ChangeId::of_host(id, ip(1), n),
            },
            transition,
            severity,
            quiet: n % 2 == 0,
            // Two have the same time, and are told apart by the order in which they came.
            at: at(i64::try_from(n / 2).unwrap()),
        },
    };
    numbered
        .zip(severities.into_iter().cycle())
        .map(row)
        .collect()
}

fn found() -> Vec<(IpAddr, Change)> {
    let rows = history().into_iter().rev();
    rows.map(|row| (ip(1), row.change)).collect()
}

pub async fn records_and_history_come_back_as_they_were(store: Store) {
    let target = one_target(&store).await;
    let reports = [
        report(ip(1), ""),
        report("fd00:198:18::1".parse().unwrap(), ""),
    ];
    let part = part(&target, JobId::derive(target.id, 1, 0), 0, &reports);
    let decide: Decide = Box::new(|loaded| {
        assert_eq!(loaded.target, crate::samples::target("a"));
        assert_eq!(loaded.hosts[0], HostRecord::new(ip(1)));
        Decided {
            hosts: records(),
            history: found(),
            ..Decided::default()
        }
    });
    assert_eq!(
        store.apply_snapshot(part.clone(), decide).await.unwrap(),
        Applied::Applied
    );
    assert_eq!(store.hosts(target.id).await.unwrap(), records());
    let all = HistoryFilter::of(target.id, 10);
    assert_eq!(store.history(all).await.unwrap(), history());
    let undone = history().into_iter().map(|row| Past {
        run: 1,
        ip: ip(1),
        change: row.change,
    });
    let undone: Vec<_> = undone.collect();
    assert_eq!(store.changes_after(target.id, 0).await.unwrap(), undone);
    assert_eq!(store.changes_after(target.id, 1).await.unwrap(), []);

    // They are loaded in the order in which they are asked for.
    let mut part = part;
    part.part = 1;
    part.hosts = vec![records()[1].ip, ip(9), ip(1)];
    let decide: Decide = Box::new(|loaded| {
        let known = records();
        assert_eq!(
            loaded.hosts,
            [known[1].clone(), HostRecord::new(ip(9)), known[0].clone()]
        );
        Decided::default()
    });
    assert_eq!(
        store.apply_snapshot(part, decide).await.unwrap(),
        Applied::Applied
    );
    assert_eq!(store.hosts(target.id).await.unwrap(), records());
}

/// A record of which nothing is left but that it was scanned replaces one that is full.
pub async fn what_is_empty_again_comes_back_empty(store: Store) {
    let target = one_target(&store).await;
    let mut emptied = records();
    for host in &mut emptied {
        host.soft = None;
        host.flapping = Flapping::default();
        host.findings = Findings::default();
        host.baseline = PortSet::empty();
        host.runs = Runs::kept(9, 9, Vec::new());
        for port in host.ports.values_mut() {
            port.soft = None;
            port.flapping = Flapping::default();
        }
    }
    for (run, hosts) in [(1, records()), (2, emptied)] {
        let mut part = part(&target, JobId::derive(target.id, run, 0), 0, &[]);
        part.hosts = hosts.iter().map(|host| host.ip).collect();
        let decided = hosts.clone();
        let decide: Decide = Box::new(|_| Decided {
            hosts: decided,
            ..Decided::default()
        });
        store.apply_snapshot(part, decide).await.unwrap();
        assert_eq!(store.hosts(target.id).await.unwrap(), hosts);
    }
}

pub async fn a_known_change_is_not_added_again(store: Store) {
    let target = one_target(&store).await;
    for run in 1..=2 {
        let reports = [report(ip(1), "")];
        let part = part(&target, JobId::derive(target.id, run, 0), 0, &reports);
        let decide: Decide = Box::new(|_| Decided {
            history: found(),
            ..Decided::default()
        });
        assert_eq!(
            store.apply_snapshot(part, decide).await.unwrap(),
            Applied::Applied
        );
    }
    // Under its first job, too.
    let all = HistoryFilter::of(target.id, 100);
    assert_eq!(store.history(all).await.unwrap(), history());
}
