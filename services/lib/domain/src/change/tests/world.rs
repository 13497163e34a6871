//! A small world: one host with twelve ports, watched by a target that changes its mind.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::super::diff::{Outcome, diff};
use super::super::{Change, HostRecord};
use crate::ports::{Port, PortSet};
use crate::snapshot::{Answer, Evidence, HostReport, HostState, PortState, PortVerdict};
use crate::target::{Confirm, Schedule, Switches, Target, TargetId, Zone};

pub fn ip() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub fn set(text: &str) -> PortSet {
    match text {
        "" => PortSet::empty(),
        text => text.parse().unwrap(),
    }
}

/// A target that watches these ports.
pub fn target(ports: &str) -> Target {
    Target {
        id: TargetId::derive("tests", "web"),
        name: "web".to_owned(),
        group: "default".to_owned(),
        zone: Zone::default(),
        addresses: vec!["192.0.2.7".parse().unwrap()],
        exclude: Vec::new(),
        ports: set(ports),
        expected: None,
        tags: Vec::new(),
        allowed: PortSet::empty(),
        confirm: Confirm {
            open: 1,
            close: 1,
            down: 1,
        },
        schedule: Schedule::every(SignedDuration::from_mins(5)),
        discovery: false,
        follow_names: false,
        rate: 1000,
        switches: Switches::default(),
    }
}

pub fn evidence(state: PortState, probes: u16) -> Evidence {
    let answer = match state {
        PortState::Open => Answer::SynAck,
        PortState::Closed => Answer::Rst,
        PortState::Filtered | PortState::Unknown => Answer::NoResponse,
    };
    let is_answered = answer != Answer::NoResponse;
    Evidence {
        answer,
        ttl: is_answered.then_some(64),
        rtt: is_answered.then_some(Duration::from_micros(38)),
        probes,
    }
}

/// A report of a host that is up: covered ports, `open`, `closed` and `filtered` told one by one, and
/// `summed` filtered in sum.
pub fn seen(covered: &str, open: &str, closed: &str, filtered: &str, summed: &str) -> HostReport {
    let told = [
        (open, PortState::Open),
        (closed, PortState::Closed),
        (filtered, PortState::Filtered),
    ];
    let verdicts = told.into_iter().flat_map(|(ports, state)| {
        let ports: Vec<Port> = set(ports).iter().collect();
        ports.into_iter().map(move |port| PortVerdict {
            port,
            state,
            evidence: evidence(state, 2),
            service: None,
        })
    });
    let report = HostReport {
        state: HostState::Up,
        coverage: set(covered),
        ports: verdicts.collect(),
        filtered: set(summed),
        ..HostReport::unknown(ip(), None)
    };
    report.check().unwrap();
    report
}

/// A report of a host without any port covered.
pub fn silent(state: HostState, suspect: bool) -> HostReport {
    HostReport {
        state,
        suspect,
        ..HostReport::unknown(ip(), None)
    }
}

/// A host and its scans, one after the other.
pub struct Watch {
    pub target: Target,
    pub record: HostRecord,
    pub run: u64,
}

impl Watch {
    pub fn of(ports: &str) -> Self {
        Self {
            target: target(ports),
            record: HostRecord::new(ip()),
            run: 0,
        }
    }

    /// Applies the next run's report, ten seconds after the last; what changed.
    pub fn scan(&mut self, report: &HostReport) -> Vec<Change> {
        self.apply(report).changes
    }

    /// The same, and all that came of it; the record stays here.
    pub fn apply(&mut self, report: &HostReport) -> Outcome {
        self.run += 1;
        let at = at(i64::try_from(self.run).unwrap() * 10);
        let outcome = diff(&self.target, self.record.clone(), report, self.run, at);
        assert!(!outcome.stale);
        self.record.clone_from(&outcome.after);
        outcome
    }

    /// The same, and only what is news, as words: `port.opened tcp/22`.
    pub fn news(&mut self, report: &HostReport) -> Vec<String> {
        let changes = self.scan(report);
        let news = changes.iter().filter(|change| change.is_news());
        news.map(words).collect()
    }
}

/// A change in short.
pub fn words(change: &Change) -> String {
    match change.transition.port() {
        Some(port) => format!("{} {port}", change.kind()),
        None => change.kind().to_string(),
    }
}

fn port() -> impl Strategy<Value = Port> {
    (1_u16..=12).prop_map(Port::tcp)
}

fn ports() -> impl Strategy<Value = PortSet> {
    vec(port(), 0..12).prop_map(|ports| ports.into_iter().collect())
}

fn verdict_state() -> impl Strategy<Value = PortState> {
    prop_oneof![
        3 => Just(PortState::Open),
        1 => Just(PortState::Closed),
        1 => Just(PortState::Filtered)
    ]
}

fn report_of_ports() -> impl Strategy<Value = HostReport> {
    let verdicts = btree_map(port(), (verdict_state(), 1_u16..9), 0..6);
    (verdicts, ports(), ports()).prop_map(|(verdicts, closed, filtered)| {
        let told: PortSet = verdicts.keys().copied().collect();
        let filtered = filtered.difference(&told);
        let verdict = |(port, (state, probes))| PortVerdict {
            port,
            state,
            evidence: evidence(state, probes),
            service: None,
        };
        HostReport {
            state: HostState::Up,
            coverage: told.union(&closed).union(&filtered),
            ports: verdicts.into_iter().map(verdict).collect(),
            filtered,
            ..HostReport::unknown(ip(), None)
        }
    })
}

/// Any report that agrees with itself.
pub fn report() -> impl Strategy<Value = HostReport> {
    prop_oneof![
        6 => report_of_ports(),
        1 => Just(silent(HostState::Down, false)),
        1 => Just(silent(HostState::Unknown, false)),
        1 => Just(silent(HostState::Up, true)),
    ]
}

/// A target that watches some of the ports, and may have said which it expects.
pub fn any_target() -> impl Strategy<Value = Target> {
    (ports(), proptest::option::of(ports())).prop_map(|(ports, expected)| Target {
        ports,
        expected,
        ..target("1")
    })
}

/// What one scan meets: how the target stands, and what is seen. Most targets stay as they are.
pub fn scans() -> impl Strategy<Value = Vec<(Target, HostReport)>> {
    let change = prop_oneof![4 => Just(None), 1 => any_target().prop_map(Some)];
    (any_target(), vec((change, report()), 1..25)).prop_map(|(first, scans)| {
        let mut target = first;
        let step = |(change, report): (Option<Target>, HostReport)| {
            if let Some(changed) = change {
                target = changed;
            }
            (target.clone(), report)
        };
        scans.into_iter().map(step).collect()
    })
}

/// Applies scans to a host of which nothing is known: each target, report and record before, with
/// what came of it. Runs count from 1, ten seconds apart.
pub fn apply(scans: &[(Target, HostReport)]) -> Vec<(&Target, &HostReport, HostRecord, Outcome)> {
    let mut record = HostRecord::new(ip());
    let mut steps = Vec::new();
    for ((target, report), run) in scans.iter().zip(1_u64..) {
        let time = at(i64::try_from(run).unwrap() * 10);
        let outcome = diff(target, record.clone(), report, run, time);
        let before = std::mem::replace(&mut record, outcome.after.clone());
        steps.push((target, report, before, outcome));
    }
    steps
}
