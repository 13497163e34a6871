//! Claims and what is saved for them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;

use portwatch_domain::change::{ChangeKind, Changes};
use portwatch_domain::ports::PortSet;
use portwatch_runtime::settings::List;
use portwatch_schemas::decode;

use super::*;
use crate::{Source, TargetSettings};

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ports(text: &str) -> PortSet {
    text.parse().unwrap()
}

fn names(name: &str, addresses: &[&str]) -> Names {
    let addresses = addresses.iter().map(|text| ip(text)).collect();
    [(name.to_owned(), addresses)].into()
}

fn settings(addresses: &[&str]) -> TargetSettings {
    TargetSettings {
        name: "web".to_owned(),
        addresses: List(addresses.iter().map(|&text| text.to_owned()).collect()),
        ports: Some("1-100".to_owned()),
        ..TargetSettings::default()
    }
}

fn target(settings: &TargetSettings) -> Target {
    settings.target(Source::Settings).unwrap()
}

fn known() -> KnownTarget {
    KnownTarget {
        run: 7,
        ..KnownTarget::default()
    }
}

fn slot(target: Target, known: KnownTarget, resolved: Names) -> NewRun {
    let due = DueTarget {
        target,
        slot: now() - SignedDuration::from_secs(2),
        known,
    };
    of_slot(due, resolved, now()).unwrap()
}

fn request(
    target: Target,
    kind: RequestKind,
    hosts: Option<&[&str]>,
    ports: Option<&str>,
) -> NewRun {
    let due = DueRequest {
        id: Uuid::from_u128(9),
        kind,
        target,
        hosts: hosts.map(|hosts| hosts.iter().map(|text| ip(text)).collect()),
        ports: ports.map(self::ports),
        known: known(),
    };
    of_request(due, None, now()).unwrap()
}

fn jobs(run: &NewRun) -> Vec<Job> {
    let messages = run
        .outbox
        .iter()
        .filter(|message| message.topic == Topic::Job);
    messages
        .map(|message| decode(&message.body).unwrap().1)
        .collect()
}

#[test]
fn a_slot_becomes_a_run_of_all_hosts() {
    let run = slot(target(&settings(&["198.18.0.0/23"])), known(), Names::new());
    assert_eq!((run.kind, run.run, run.jobs.len()), (RunKind::Slot, 7, 2));
    let in_minutes = |minutes| now() + SignedDuration::from_mins(minutes);
    let Cause::Slot {
        slot,
        next_slot,
        overdue_at,
    } = run.cause
    else {
        panic!("{:?}", run.cause);
    };
    assert_eq!(next_slot, slot + SignedDuration::from_mins(5));
    let allowance = run.jobs[0].deadline.duration_since(now());
    assert_eq!(overdue_at, in_minutes(15) + allowance);
    for (row, job) in run.jobs.iter().zip(jobs(&run)) {
        assert_eq!(
            (row.id, row.parts, row.deadline),
            (job.id, job.parts(), job.deadline)
        );
        assert_eq!((row.hosts.len(), &row.ports), (256, &job.ports));
        assert_eq!(job.priority, Priority::Normal);
    }
    assert!(run.changes.is_empty() && run.moved.is_empty());
}

#[test]
fn a_block_is_searched_between_full_scans() {
    let settings = TargetSettings {
        discovery: Some(true),
        ..settings(&["198.18.0.0/24"])
    };
    let full_at = Some(now() - SignedDuration::from_hours(2));
    let run = slot(
        target(&settings),
        KnownTarget { full_at, ..known() },
        Names::new(),
    );
    assert_eq!(run.kind, RunKind::Discovery);
    assert_eq!(run.jobs[0].ports.len(), 10);
    let run = slot(target(&settings), known(), Names::new());
    assert_eq!((run.kind, run.jobs[0].ports.len()), (RunKind::Slot, 100));
    let run = request(
        target(&settings),
        RequestKind::Discovered,
        Some(&["198.18.0.9"]),
        None,
    );
    assert_eq!(
        (run.kind, run.jobs[0].ports.len()),
        (RunKind::Discovered, 100)
    );
    assert_eq!(run.jobs[0].hosts, [ip("198.18.0.9")]);
}

#[test]
fn what_is_asked_for_goes_first() {
    let web = || target(&settings(&["198.18.0.0/30"]));
    let run = request(
        web(),
        RequestKind::Verify,
        Some(&["198.18.0.1"]),
        Some("22"),
    );
    assert_eq!(
        (run.kind, run.cause),
        (RunKind::Verify, Cause::Request(Uuid::from_u128(9)))
    );
    assert_eq!(jobs(&run)[0].priority, Priority::High);
    assert_eq!(
        (run.jobs[0].hosts.len(), &run.jobs[0].ports),
        (1, &ports("22"))
    );
    let run = request(web(), RequestKind::Now, None, None);
    assert_eq!((run.kind, run.jobs[0].hosts.len()), (RunKind::Now, 4));
    assert_eq!(jobs(&run)[0].priority, Priority::High);
    let run = request(web(), RequestKind::Redo, Some(&["198.18.0.1"]), None);
    assert_eq!(jobs(&run)[0].priority, Priority::Normal);
}

#[test]
fn in_a_closed_window_only_what_somebody_asked_for() {
    let closed = Some(List(vec!["11:00-13:00".to_owned()]));
    let web = || {
        target(&TargetSettings {
            closed: closed.clone(),
            ..settings(&["198.18.0.1"])
        })
    };
    for (kind, jobs) in [
        (RequestKind::Verify, 0),
        (RequestKind::Redo, 0),
        (RequestKind::Discovered, 0),
        (RequestKind::Now, 1),
    ] {
        let run = request(web(), kind, None, None);
        assert_eq!(run.jobs.len(), jobs, "{kind}");
    }
}

#[test]
fn a_name_that_moved_is_told_and_its_state_follows() {
    let settings = TargetSettings {
        follow_names: Some(true),
        ..settings(&["www.example"])
    };
    let known = KnownTarget {
        names: names("www.example", &["198.18.0.1"]),
        open: [(ip("198.18.0.1"), ports("22,80"))].into(),
        changes: 3,
        ..known()
    };
    let web = target(&settings);
    let run = slot(
        web.clone(),
        known.clone(),
        names("www.example", &["198.18.0.2"]),
    );
    assert_eq!(run.moved, [(ip("198.18.0.1"), ip("198.18.0.2"))]);
    assert_eq!(run.names, Some(names("www.example", &["198.18.0.2"])));
    let [change] = run.changes.as_slice() else {
        panic!("{:?}", run.changes);
    };
    assert_eq!(change.kind(), ChangeKind::TargetAddress);
    assert_eq!(
        change.id,
        portwatch_domain::change::ChangeId::of_target(web.id, 4)
    );
    let told = run
        .outbox
        .iter()
        .find(|message| message.topic == Topic::Change)
        .unwrap();
    let (_, told): (Meta, Changes) = decode(&told.body).unwrap();
    assert_eq!((told.subject().as_str(), &told.changes[0]), ("web", change));
    let job = &jobs(&run)[0];
    assert_eq!(job.hosts[0].ip, ip("198.18.0.2"));
    assert_eq!(
        job.hosts[0].known_open,
        ports("22,80"),
        "what was open there is looked for here"
    );

    // While the name server is away the last addresses are scanned.
    let run = slot(web, known, Names::new());
    assert!(run.changes.is_empty() && run.moved.is_empty());
    assert_eq!(run.jobs[0].hosts, [ip("198.18.0.1")]);
}
