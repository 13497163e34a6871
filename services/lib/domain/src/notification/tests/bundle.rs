//! What is told together.

use jiff::{SignedDuration, Timestamp};

use super::super::bundle::{Held, Told, in_one, tell};
use super::super::summary::MOST_LINES;
use super::super::words::many;
use super::*;
use crate::change::{ChangeKind, Changes, MAX_CHANGES_TOLD};
use crate::snapshot::PortState;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

/// A change of a port from one state to another, seen so late.
fn turned(port: u16, before: PortState, after: PortState, seconds: i64) -> Change {
    let Transition::Port {
        evidence, service, ..
    } = opened().transition
    else {
        panic!("a port");
    };
    Change {
        id: ChangeId(Uuid::from_u128(
            (u128::from(port) << 64) + u128::from(seconds.unsigned_abs()),
        )),
        transition: Transition::Port {
            port: Port::tcp(port),
            before,
            after,
            evidence,
            expected: false,
            service,
        },
        severity: Severity::High,
        quiet: false,
        at: at(seconds),
    }
}

fn held(seq: i64, host: u8, due: i64, changes: Vec<Change>) -> Held {
    let about = About::Host {
        target: target(),
        ip: [192, 0, 2, host].into(),
        name: None,
    };
    Held {
        seq,
        due_at: at(due),
        changes: Changes {
            about,
            notify: true,
            job: None,
            changes,
        },
    }
}

fn opens(port: u16, seconds: i64) -> Change {
    turned(port, PortState::Closed, PortState::Open, seconds)
}

fn closes(port: u16, seconds: i64) -> Change {
    turned(port, PortState::Open, PortState::Closed, seconds)
}

/// The ports of each host that is told of.
fn ports(told: &Told) -> Vec<(String, Vec<u16>)> {
    let of_one = |changes: &Changes| {
        let ports = changes.changes.iter();
        let ports = ports.filter_map(|change| Some(change.transition.port()?.number));
        (changes.subject(), ports.collect())
    };
    told.single.iter().map(of_one).collect()
}

#[test]
fn a_host_is_told_when_its_time_has_come_with_all_that_waits_for_it() {
    let waiting = [
        held(1, 7, 30, vec![opens(22, 0)]),
        held(2, 8, 40, vec![opens(23, 5)]),
        held(3, 7, 30, vec![opens(80, 10)]),
    ];
    assert_eq!(tell(&waiting, Some(20), at(29)), Told::default());
    let told = tell(&waiting, Some(20), at(30));
    assert_eq!(told.seqs, [1, 3]);
    assert_eq!(ports(&told), [("192.0.2.7".to_owned(), vec![22, 80])]);
    assert_eq!(told.summary, None);
    let told = tell(&waiting, Some(20), at(40));
    assert_eq!(told.single.len(), 2);
}

#[test]
fn the_same_change_is_told_once() {
    let waiting = [
        held(1, 7, 0, vec![opens(22, 0)]),
        held(2, 7, 0, vec![opens(22, 0), opens(23, 1)]),
    ];
    let told = tell(&waiting, None, NOW);
    assert_eq!(ports(&told), [("192.0.2.7".to_owned(), vec![22, 23])]);
    assert_eq!(told.taken_back, 0);
}

#[test]
fn what_turned_back_while_it_waited_is_not_told() {
    let mut up = down();
    up.transition = Transition::Host {
        before: HostState::Down,
        after: HostState::Up,
        suspect: false,
    };
    up.id = ChangeId(Uuid::from_u128(2));
    let waiting = [
        held(1, 7, 0, vec![opens(22, 0), down(), opens(23, 0)]),
        held(2, 7, 0, vec![closes(22, 9), up]),
    ];
    let told = tell(&waiting, None, NOW);
    assert_eq!(ports(&told), [("192.0.2.7".to_owned(), vec![23])]);
    assert_eq!((told.seqs.len(), told.taken_back), (2, 4));

    let waiting = [held(1, 7, 0, vec![opens(22, 0), closes(22, 9)])];
    let told = tell(&waiting, None, NOW);
    assert_eq!((told.seqs.as_slice(), told.taken_back), ([1].as_slice(), 2));
    assert_eq!(told.single, []);

    // It turned twice and is another than before.
    let refused = turned(22, PortState::Open, PortState::Filtered, 9);
    let waiting = [held(1, 7, 0, vec![opens(22, 0), refused])];
    assert_eq!(tell(&waiting, None, NOW).taken_back, 0);
}

#[test]
fn a_storm_is_one_summary_of_all_that_waits() {
    let waiting: Vec<_> = (1..=30)
        .map(|host| {
            held(
                host.into(),
                host,
                i64::from(host),
                vec![opens(22, host.into())],
            )
        })
        .collect();
    let told = tell(&waiting, Some(20), at(1));
    assert_eq!((told.seqs.len(), told.single.len()), (30, 0));
    let summary = told.summary.unwrap();
    assert_eq!(summary.subjects, 30);
    assert_eq!(summary.counts, [(ChangeKind::PortOpened, 30)]);
    assert_eq!(summary.period, (at(1), at(30)));
    assert_eq!(
        many::headline(&summary),
        "30 changes of 30 hosts of web-front: 30 ports opened"
    );
    assert_eq!(many::rest(&summary), None);
    assert_eq!(tell(&waiting, Some(20), NOW), Told::default(), "too early");
    assert_eq!(tell(&waiting, Some(30), at(1)).single.len(), 1, "no storm");
    assert_eq!(tell(&waiting, None, at(30)).single.len(), 30, "no limit");
}

#[test]
fn a_summary_tells_the_worst_first_and_counts_the_rest() {
    let mut waiting: Vec<_> = (1..=99)
        .map(|host| {
            let mut change = opens(22, 0);
            change.severity = Severity::Info;
            held(host.into(), host, 0, vec![change])
        })
        .collect();
    waiting[70].changes.changes[0].severity = Severity::High;
    let summary = in_one(&waiting, NOW).summary.unwrap();
    assert_eq!(summary.severity, Severity::High);
    assert_eq!(summary.lines.len(), MOST_LINES);
    assert!(summary.lines[0].starts_with("192.0.2.71: port 22/tcp"));
    assert_eq!(
        many::rest(&summary).unwrap(),
        "and 49 more: see portwatch history"
    );
    let back = [held(1, 7, 0, vec![opens(22, 0), closes(22, 1)])];
    assert_eq!(in_one(&back, NOW).summary, None, "nothing is left to tell");
}

#[test]
fn many_changes_of_a_host_are_several_messages() {
    let most = u16::try_from(MAX_CHANGES_TOLD).unwrap();
    let waiting = [
        held(1, 7, 0, (1..=most).map(|port| opens(port, 0)).collect()),
        held(2, 7, 0, vec![opens(most + 1, 0)]),
    ];
    let told = tell(&waiting, None, NOW);
    let counts: Vec<_> = told.single.iter().map(|one| one.changes.len()).collect();
    assert_eq!(counts, [MAX_CHANGES_TOLD, 1]);
}
