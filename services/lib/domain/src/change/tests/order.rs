//! Snapshots that come in another order, or more than once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::diff::diff;
use super::super::{ChangeId, HostRecord, PortRecord, Transition};
use super::world::{at, evidence, ip, set, target};
use crate::ports::{Port, PortSet};
use crate::snapshot::{HostReport, HostState, PortState, PortVerdict};
use crate::target::{Confirm, Target};

/// One report of a run: which, and on which ports.
#[derive(Clone, Debug)]
struct Seen {
    run: u64,
    at: Timestamp,
    report: HostReport,
}

/// A run's two jobs have six ports each.
const HALVES: [std::ops::RangeInclusive<u16>; 2] = [1..=6, 7..=12];

fn report(verdicts: &BTreeMap<Port, PortState>) -> HostReport {
    HostReport {
        state: HostState::Up,
        coverage: verdicts.keys().copied().collect(),
        ports: verdicts
            .iter()
            .map(|(&port, &state)| PortVerdict {
                port,
                state,
                evidence: evidence(state, 2),
                service: None,
            })
            .collect(),
        ..HostReport::unknown(ip(), None)
    }
}

fn state() -> impl Strategy<Value = PortState> {
    prop_oneof![
        3 => Just(PortState::Open),
        2 => Just(PortState::Closed),
        1 => Just(PortState::Filtered)
    ]
}

/// What a run finds on the twelve ports; none where nothing is conclusive.
fn findings() -> impl Strategy<Value = Vec<Option<PortState>>> {
    vec(proptest::option::weighted(0.9, state()), 12)
}

fn half(found: &[Option<PortState>], half: usize) -> BTreeMap<Port, PortState> {
    let numbers = HALVES[half].clone();
    let found = numbers.filter_map(|number| {
        let state = found[usize::from(number) - 1]?;
        Some((Port::tcp(number), state))
    });
    found.collect()
}

fn watched(confirm: Confirm) -> Target {
    Target {
        confirm,
        ..target("1-12")
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Ended {
    ports: BTreeMap<Port, PortRecord>,
    host: Option<(HostState, u64)>,
    baseline: PortSet,
    changes: BTreeMap<ChangeId, Transition>,
}

/// Applies reports one after the other. No change may be told twice.
fn end(target: &Target, reports: &[Seen]) -> Ended {
    let mut record = HostRecord::new(ip());
    let mut changes = BTreeMap::new();
    for seen in reports {
        let outcome = diff(target, record, &seen.report, seen.run, seen.at);
        record = outcome.after;
        for change in outcome.changes {
            let again = changes.insert(change.id, change.transition);
            assert_eq!(again, None, "told twice");
        }
    }
    Ended {
        host: Some((record.state, record.transition)),
        ports: record.ports,
        baseline: record.baseline,
        changes,
    }
}

/// The runs of a host as a scheduler makes them. The next slot's run is made when the last one's jobs have come in;
/// a port in a soft state is looked at again by a run of its own, which may overtake the other job of its run.
fn pipeline(target: &Target, slots: &[Vec<Option<PortState>>]) -> Vec<Vec<Seen>> {
    let mut record = HostRecord::new(ip());
    let mut run = 0;
    let mut all = Vec::new();
    for found in slots {
        run += 1;
        let slot = run;
        let mut group = Vec::new();
        for number in 0..HALVES.len() {
            let time = at(i64::try_from(slot).unwrap() * 100 + i64::try_from(number).unwrap());
            let mut seen = Seen {
                run: slot,
                at: time,
                report: report(&half(found, number)),
            };
            loop {
                let outcome = diff(target, record, &seen.report, seen.run, seen.at);
                record = outcome.after;
                group.push(seen);
                if outcome.verify.is_empty() {
                    break;
                }
                run += 1;
                let again = |port: Port| Some((port, found[usize::from(port.number) - 1]?));
                let again: BTreeMap<_, _> = outcome.verify.iter().filter_map(again).collect();
                let time = time + jiff::SignedDuration::from_secs(10);
                seen = Seen {
                    run,
                    at: time,
                    report: report(&again),
                };
            }
        }
        all.push(group);
    }
    all
}

/// Another order of the same group: the second half's reports, each before the first half's or after, in an order
/// that causes allow (a verification comes after what it verifies), with some reports twice.
fn shuffled(groups: &[Vec<Seen>], dice: &[u8]) -> Vec<Seen> {
    let mut dice = dice.iter().copied().cycle();
    let mut out: Vec<Seen> = Vec::new();
    for group in groups {
        let is_second = |seen: &Seen| {
            let first = seen.report.coverage.iter().next();
            first.is_some_and(|port| HALVES[1].contains(&port.number))
        };
        let (mut second, mut first): (Vec<Seen>, Vec<Seen>) =
            group.iter().cloned().partition(is_second);
        first.reverse();
        second.reverse();
        while !first.is_empty() || !second.is_empty() {
            let roll = dice.next().unwrap();
            let next = if roll % 2 == 0 {
                first.pop()
            } else {
                second.pop()
            };
            out.extend(next);
            if roll % 5 == 0 && !out.is_empty() {
                let old = out[usize::from(roll) % out.len()].clone();
                out.push(old);
            }
        }
    }
    out
}

fn confirm() -> impl Strategy<Value = Confirm> {
    (1_u8..4, 1_u8..4).prop_map(|(open, close)| Confirm {
        open,
        close,
        down: 1,
    })
}

proptest! {
    #[test]
    fn any_order_and_multiplicity_that_can_happen_ends_the_same_with_the_same_ids(
        slots in vec(findings(), 1..8),
        confirm in confirm(),
        dice in vec(any::<u8>(), 40),
    ) {
        let target = watched(confirm);
        let groups = pipeline(&target, &slots);
        let right = groups.concat();
        prop_assert_eq!(end(&target, &right), end(&target, &shuffled(&groups, &dice)));
    }

    #[test]
    fn in_any_order_at_all_the_newest_verdict_on_each_port_stands(
        (slots, order) in vec(findings(), 1..8).prop_flat_map(|slots| {
            let reports = slots.len() * HALVES.len();
            (Just(slots), vec(0..reports, reports..reports * 3))
        }),
    ) {
        let target = watched(Confirm { open: 1, close: 1, down: 1 });
        let right: Vec<Seen> = pipeline(&target, &slots).concat();
        // Some may be missing, some come three times.
        let arrived: BTreeSet<usize> = order.iter().copied().collect();
        let shuffled: Vec<Seen> = order.iter().map(|&at| right[at].clone()).collect();
        let mut newest = BTreeMap::new();
        for &index in &arrived {
            for verdict in &right[index].report.ports {
                newest.insert(verdict.port, verdict.state);
            }
        }
        let open: PortSet = newest
            .iter()
            .filter(|(_, state)| **state == PortState::Open)
            .map(|(&port, _)| port)
            .collect();
        let ended = end(&target, &shuffled);
        let found: PortSet = ended
            .ports
            .iter()
            .filter(|(_, record)| record.state == PortState::Open)
            .map(|(&port, _)| port)
            .collect();
        prop_assert_eq!(found, open);
        prop_assert_eq!(ended.baseline, newest.keys().copied().collect::<PortSet>());
    }
}

#[test]
fn a_verification_does_not_make_the_other_job_of_its_run_look_old() {
    let target = watched(Confirm {
        open: 1,
        close: 2,
        down: 1,
    });
    let all_open = vec![Some(PortState::Open); 12];
    let mut closed = all_open.clone();
    closed[0] = Some(PortState::Closed);
    closed[11] = Some(PortState::Closed);
    let groups = pipeline(&target, &[all_open, closed]);
    // The first half, its verification, and only then the second half of the same run.
    let runs: Vec<u64> = groups.concat().iter().map(|seen| seen.run).collect();
    assert_eq!(runs, [1, 1, 2, 3, 2, 4]);
    let ended = end(&target, &groups.concat());
    assert_eq!(ended.changes.len(), 1 + 12 + 2);
    let open = ended
        .ports
        .iter()
        .filter(|(_, record)| record.state == PortState::Open);
    assert_eq!(
        open.map(|(&port, _)| port).collect::<PortSet>(),
        set("2-11")
    );
}
