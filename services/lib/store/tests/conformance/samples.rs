//! Targets, runs, reports and messages to test with.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::diff::diff;
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::service::{
    Certificate, Http, NameSource, SafeText, ServiceName, Tls,
};
use portwatch_domain::snapshot::{
    Answer, Evidence, HostReport, HostState, PortState, PortVerdict, Service,
};
use portwatch_domain::target::{Confirm, Schedule, Switches, Target, TargetId, Zone};
use portwatch_store::Store;
use portwatch_store::jobs::{Cause, DueTarget, JobRow, NewRun};
use portwatch_store::outbox::{OutboxMessage, Topic};
use portwatch_store::requests::{DueRequest, RequestKind, RunKind};
use portwatch_store::snapshots::{Applied, Decide, Decided, SnapshotPart};
use uuid::Uuid;

pub const LEASE: SignedDuration = SignedDuration::from_secs(30);
pub const SOURCE: &str = "settings";

/// A time, in seconds after some start.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub fn ip(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(198, 18, high, low).into()
}

pub fn ports(text: &str) -> PortSet {
    text.parse().unwrap()
}

pub fn target(name: &str) -> Target {
    Target {
        id: TargetId::derive(SOURCE, name),
        name: name.to_owned(),
        group: "default".to_owned(),
        zone: Zone::default(),
        addresses: vec!["198.18.0.0/24".parse().unwrap()],
        exclude: Vec::new(),
        ports: ports("22,80,443"),
        expected: None,
        allowed: PortSet::empty(),
        tags: Vec::new(),
        confirm: Confirm::default(),
        schedule: Schedule::every(SignedDuration::from_secs(300)),
        discovery: false,
        follow_names: false,
        rate: 500,
        switches: Switches::default(),
    }
}

/// Saves the targets as the only ones of their source, all due at the start.
pub async fn sync(store: &Store, targets: &[Target]) {
    store.sync_targets(SOURCE, targets, at(0)).await.unwrap();
}

/// A run of a claimed target with one job for each number of parts; due again 300 s after its slot.
pub fn run(due: &DueTarget, parts: &[u32], deadline: Timestamp) -> NewRun {
    let cause = Cause::Slot {
        slot: due.slot,
        next_slot: due.slot + SignedDuration::from_secs(300),
        overdue_at: due.slot + SignedDuration::from_secs(1000),
    };
    let (target, number) = (due.target.id, due.known.run);
    run_of(
        target,
        number,
        cause,
        RunKind::Slot,
        parts,
        deadline,
        due.slot,
    )
}

/// A run that a request leads to, with one job for each number of parts.
pub fn run_of_request(
    due: &DueRequest,
    parts: &[u32],
    deadline: Timestamp,
    now: Timestamp,
) -> NewRun {
    let kind = match due.kind {
        RequestKind::Verify => RunKind::Verify,
        RequestKind::Now => RunKind::Now,
        RequestKind::Redo => RunKind::Redo,
        RequestKind::Discovered => RunKind::Discovered,
    };
    let (target, number, cause) = (due.target.id, due.known.run, Cause::Request(due.id));
    run_of(target, number, cause, kind, parts, deadline, now)
}

fn run_of(
    target: TargetId,
    number: u64,
    cause: Cause,
    kind: RunKind,
    parts: &[u32],
    deadline: Timestamp,
    now: Timestamp,
) -> NewRun {
    let jobs = (0..).zip(parts).map(|(index, &parts)| JobRow {
        id: JobId::derive(target, number, index),
        parts,
        deadline,
        hosts: vec![ip(u16::try_from(index).unwrap() + 1)],
        ports: ports("22,80"),
    });
    let jobs: Vec<_> = jobs.collect();
    let outbox = jobs.iter().map(|job| message(Topic::Job, job.id.0));
    NewRun {
        target,
        cause,
        kind,
        run: number,
        now,
        names: None,
        moved: Vec::new(),
        changes: Vec::new(),
        outbox: outbox.collect(),
        jobs,
    }
}

/// Saves one run; whether it was.
pub async fn take_run(store: &Store, run: NewRun) -> bool {
    store.save_runs(vec![run]).await.unwrap()[0]
}

pub fn message(topic: Topic, id: Uuid) -> OutboxMessage {
    OutboxMessage {
        id,
        topic,
        route: "pw.test".to_owned(),
        body: id.as_bytes().to_vec(),
    }
}

pub fn evidence() -> Evidence {
    Evidence {
        answer: Answer::SynAck,
        ttl: Some(64),
        rtt: Some(Duration::from_micros(1234)),
        probes: 2,
    }
}

/// A service in which every field has a value of its own.
pub fn full_service() -> Service {
    let certificate = Certificate {
        subject: SafeText::new("CN=\"a\", O='b'"),
        issuer: SafeText::new("CN=\u{202e}issuer"),
        names: ["a.example.org", "192.0.2.1"].map(SafeText::new).into(),
        not_before: at(-1000),
        not_after: at(1000),
        sha256: std::array::from_fn(|place| u8::try_from(place * 8).unwrap()),
    };
    Service {
        name: Some(ServiceName {
            text: SafeText::new("https"),
            source: NameSource::Probe,
        }),
        product: Some(SafeText::new("nginx/1.24.0")),
        banner: Some(SafeText::new("\0{\\\"\x1b[0m世界")),
        http: Some(Box::new(Http {
            status: 404,
            server: Some(SafeText::new("nginx")),
            title: Some(SafeText::new("<b>'; DROP TABLE ports; --")),
        })),
        tls: Some(Box::new(Tls {
            version: Some(SafeText::new("TLS 1.3")),
            alpn: Some(SafeText::new("h2")),
            certificate: Some(certificate),
            refused: Some(SafeText::new("alert")),
        })),
    }
}

/// A host that is up, with these ports open and the rest of 22, 80 and 443 closed.
pub fn report(ip: IpAddr, open: &str) -> HostReport {
    let open = if open.is_empty() {
        PortSet::empty()
    } else {
        ports(open)
    };
    let verdict = |port: Port| PortVerdict {
        port,
        state: if open.contains(port) {
            PortState::Open
        } else {
            PortState::Closed
        },
        evidence: evidence(),
        service: None,
    };
    let covered = ports("22,80,443");
    HostReport {
        ip,
        name: None,
        state: HostState::Up,
        suspect: false,
        ports: covered.iter().map(verdict).collect(),
        coverage: covered,
        filtered: PortSet::empty(),
    }
}

/// One scan decides.
pub const AT_ONCE: Confirm = Confirm {
    open: 1,
    close: 1,
    down: 1,
};

/// What the differ does with reports: the diff, all transitions to history, one message for each
/// host that has any. One scan decides.
pub fn differ(reports: Vec<HostReport>, run: u64, job: JobId, seen_at: Timestamp) -> Decide {
    Box::new(move |loaded| {
        let mut decided = Decided::default();
        let target = Target {
            confirm: AT_ONCE,
            ..loaded.target
        };
        for (report, record) in reports.iter().zip(loaded.hosts) {
            let outcome = diff(&target, record, report, run, seen_at);
            if outcome.stale {
                continue;
            }
            if !outcome.changes.is_empty() {
                let id = Uuid::new_v5(&job.0, report.ip.to_string().as_bytes());
                decided.outbox.push(message(Topic::Change, id));
            }
            let changes = outcome.changes.into_iter();
            decided
                .history
                .extend(changes.map(|change| (report.ip, change)));
            decided.hosts.push(outcome.after);
        }
        decided
    })
}

/// Applies reports as part 0 of a job that only exists here.
pub async fn apply(store: &Store, target: &Target, run: u64, reports: Vec<HostReport>) -> Applied {
    let job = JobId::derive(target.id, run, 0);
    let seen_at = at(i64::try_from(run).unwrap());
    let part = SnapshotPart {
        run,
        ..part(target, job, 0, &reports)
    };
    let decide = differ(reports, run, job, seen_at);
    store.apply_snapshot(part, decide).await.unwrap()
}

/// A part of a job of the first run.
pub fn part(target: &Target, job: JobId, part: u32, reports: &[HostReport]) -> SnapshotPart {
    SnapshotPart {
        job,
        part,
        target: target.id,
        run: 1,
        hosts: reports.iter().map(|report| report.ip).collect(),
        now: at(0),
    }
}

/// Claims and saves the target's next run with one job, and gives the job's id.
pub async fn start(store: &Store, now: Timestamp, parts: u32, deadline: Timestamp) -> (u64, JobId) {
    let claimed = store.claim_due(now, 1, LEASE).await.unwrap();
    let [due] = claimed.as_slice() else {
        panic!("nothing is due at {now}")
    };
    let run = run(due, &[parts], deadline);
    let job = run.jobs[0].id;
    assert!(take_run(store, run).await);
    (due.known.run, job)
}
