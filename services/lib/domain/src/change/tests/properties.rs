//! What holds for all scans.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::diff::diff;
use super::super::{Change, ChangeId, ChangeKind, HostRecord, Transition};
use super::world::{apply, at, report, scans};
use crate::ports::{Port, PortSet};
use crate::snapshot::{HostState, PortState};

/// What changes say of a host: its own state, and each port's, with how often and since when.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    host: (HostState, u64, Option<jiff::Timestamp>),
    ports: BTreeMap<Port, (PortState, u64, jiff::Timestamp)>,
}

impl Told {
    fn of(record: &HostRecord) -> Self {
        let ports = record.ports.iter();
        Self {
            host: (record.state, record.transition, record.since),
            ports: ports
                .map(|(&port, known)| (port, (known.state, known.transition, known.since)))
                .collect(),
        }
    }

    /// Applies a change, as somebody would who knows nothing but the changes.
    fn replay(&mut self, change: &Change) {
        match change.transition {
            Transition::Host { after, .. } => {
                let since = if self.host.0 == after {
                    self.host.2
                } else {
                    Some(change.at)
                };
                self.host = (after, self.host.1 + 1, since);
            }
            Transition::Port { port, after, .. } => {
                let count = self.ports.get(&port).map_or(0, |&(_, count, _)| count);
                self.ports.insert(port, (after, count + 1, change.at));
            }
            Transition::HostFlapping { .. } => self.host.1 += 1,
            _ => {
                let port = change.transition.port().unwrap();
                self.ports.get_mut(&port).unwrap().1 += 1;
            }
        }
    }
}

proptest! {
    #[test]
    fn the_changes_applied_to_before_give_after(scans in scans()) {
        for (_, _, before, outcome) in apply(&scans) {
            let mut told = Told::of(&before);
            for change in &outcome.changes {
                told.replay(change);
            }
            prop_assert_eq!(told, Told::of(&outcome.after));
        }
    }

    #[test]
    fn what_no_change_tells_of_a_port_stays_but_for_its_last_confirmation(scans in scans()) {
        for (_, _, before, outcome) in apply(&scans) {
            let told: PortSet = outcome.changes.iter().filter_map(|change| change.transition.port()).collect();
            let untold = outcome.after.ports.iter().filter(|(port, _)| !told.contains(**port));
            for (port, after) in untold {
                let mut before = before.ports[port].clone();
                prop_assert!(before.last_seen <= after.last_seen, "{port}");
                before.last_seen = after.last_seen;
                before.flapping = after.flapping;
                prop_assert_eq!(&before, after);
            }
        }
    }

    #[test]
    fn the_evidence_of_a_port_is_that_of_its_last_transition(scans in scans()) {
        let mut told = BTreeMap::new();
        for (_, _, _, outcome) in apply(&scans) {
            for change in &outcome.changes {
                if let Transition::Port { port, evidence, .. } = change.transition {
                    told.insert(port, evidence);
                }
            }
            let kept = outcome.after.ports.iter().map(|(&port, record)| (port, record.evidence));
            prop_assert_eq!(&told, &kept.collect::<BTreeMap<_, _>>());
        }
    }

    #[test]
    fn a_port_was_last_seen_when_a_scan_that_covered_it_found_its_state(scans in scans()) {
        let mut seen = BTreeMap::new();
        for (target, report, _, outcome) in apply(&scans) {
            let at = at(i64::try_from(outcome.after.runs.newest()).unwrap() * 10);
            let covered = report.coverage.intersection(&target.ports);
            for (&port, record) in &outcome.after.ports {
                let verdict = report.ports.iter().find(|verdict| verdict.port == port);
                let found = match verdict {
                    Some(verdict) => verdict.state,
                    None if report.filtered.contains(port) => PortState::Filtered,
                    None => PortState::Closed,
                };
                if covered.contains(port) && found == record.state {
                    seen.insert(port, at);
                }
                prop_assert_eq!(Some(&record.last_seen), seen.get(&port), "{}", port);
            }
        }
    }

    #[test]
    fn before_is_what_was_known(scans in scans()) {
        for (_, _, before, outcome) in apply(&scans) {
            for change in &outcome.changes {
                match change.transition {
                    Transition::Host { before: said, .. } => {
                        prop_assert_eq!(said, before.state);
                    }
                    Transition::Port { port, before: said, after, .. } => {
                        let known = before.ports.get(&port).map(|record| record.state);
                        // In the baseline but never seen open is closed to the outside.
                        let known = known.unwrap_or(PortState::Closed);
                        prop_assert!(said == known || said == PortState::Unknown);
                        prop_assert_ne!(said, after);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn equal_input_gives_no_change(scans in scans()) {
        for (target, report, _, outcome) in apply(&scans) {
            let run = outcome.after.runs.newest();
            for (run, time) in [(run, at(0)), (run + 1, at(1_000_000))] {
                let again = diff(target, outcome.after.clone(), report, run, time);
                let ends = |change: &&Change| {
                    matches!(change.kind(), ChangeKind::PortSteady | ChangeKind::HostSteady)
                };
                if again.changes.iter().any(|change| ends(&change)) {
                    continue;
                }
                prop_assert_eq!(&again.changes, &[]);
                prop_assert!(!again.stale);
                prop_assert_eq!(Told::of(&again.after), Told::of(&outcome.after));
                prop_assert_eq!(&again.after.baseline, &outcome.after.baseline);
            }
        }
    }

    #[test]
    fn uncovered_ports_never_change(scans in scans()) {
        for (target, report, before, outcome) in apply(&scans) {
            let covered = report.coverage.intersection(&target.ports);
            for change in &outcome.changes {
                if let Transition::Port { port, .. } = change.transition {
                    prop_assert!(covered.contains(port), "{port}");
                }
            }
            let uncovered = |record: &HostRecord| -> BTreeMap<_, _> {
                let ports = record.ports.iter().filter(|(port, _)| !covered.contains(**port));
                ports.map(|(&port, record)| (port, record.clone())).collect()
            };
            prop_assert_eq!(uncovered(&before), uncovered(&outcome.after));
            // What had its baseline and is still watched keeps it, and only what is covered gets one.
            let kept = before.baseline.intersection(&target.ports);
            prop_assert_eq!(outcome.after.baseline, kept.union(&covered));
        }
    }

    #[test]
    fn open_closes_only_by_a_verdict_of_its_own(scans in scans()) {
        for (_, report, before, outcome) in apply(&scans) {
            let told: PortSet = report.ports.iter().map(|verdict| verdict.port).collect();
            let left = before.open().difference(&outcome.after.open());
            prop_assert!(left.is_subset(&told), "{left} were open, and only summed up");
        }
    }

    #[test]
    fn the_first_verdict_on_a_port_is_never_news(scans in scans()) {
        for (target, _, before, outcome) in apply(&scans) {
            let known = before.baseline.intersection(&target.ports);
            for change in outcome.changes.iter().filter(|change| change.is_news()) {
                match change.transition {
                    Transition::Port { port, .. } => prop_assert!(known.contains(port), "{port}"),
                    Transition::Host { before: said, .. } => {
                        prop_assert_ne!(said, HostState::Unknown);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_change_of_the_host_is_one_change(scans in scans()) {
        for (_, report, before, outcome) in apply(&scans) {
            let of_host = |change: &&Change| matches!(change.transition, Transition::Host { .. });
            let no_port = |change: &&Change| change.transition.port().is_none();
            let count = outcome.changes.iter().filter(of_host).count();
            let is_known = report.state != HostState::Unknown;
            let changed = is_known
                && (report.state != before.state || report.suspect && !before.suspect);
            prop_assert_eq!(count, usize::from(changed));
            if report.state != HostState::Up || report.suspect {
                prop_assert!(outcome.changes.iter().all(|change| no_port(&change)), "no port changes with it");
                prop_assert_eq!(&outcome.after.ports, &before.ports);
            }
        }
    }

    #[test]
    fn an_older_run_changes_nothing_that_a_newer_one_judged(
        scans in scans(), late in report(), run in any::<u64>()
    ) {
        let steps = apply(&scans);
        let (target, _, _, last) = &steps[steps.len() - 1];
        let before = &last.after;
        // Runs count from 1.
        let run = 1 + run % before.runs.newest();
        let outcome = diff(target, before.clone(), &late, run, at(1_000_000));
        for (&port, record) in &before.ports {
            if before.runs.of(port) >= run {
                prop_assert_eq!(outcome.after.ports.get(&port), Some(record));
            }
        }
        if before.runs.host() >= run {
            let host = |host: &HostRecord| (host.state, host.transition, host.suspect, host.soft);
            prop_assert_eq!(host(&outcome.after), host(before));
        }
        if outcome.stale {
            prop_assert_eq!(&outcome.changes, &[]);
            prop_assert_eq!(&outcome.after, before);
        }
    }

    #[test]
    fn what_was_judged_is_the_baseline(scans in scans()) {
        for (.., outcome) in apply(&scans) {
            let judged = outcome.after.runs.judged();
            let all = judged.iter().fold(PortSet::empty(), |all, (_, ports)| all.union(ports));
            prop_assert_eq!(&all, &outcome.after.baseline);
            prop_assert_eq!(judged.iter().map(|(_, ports)| ports.len()).sum::<usize>(), all.len());
            prop_assert!(judged.is_sorted_by(|a, b| a.0 > b.0));
        }
    }

    #[test]
    fn ids_are_equal_when_computed_twice_and_differ_for_each_transition(scans in scans()) {
        let changes = || -> Vec<Change> {
            let steps = apply(&scans);
            steps.into_iter().flat_map(|(.., outcome)| outcome.changes).collect()
        };
        prop_assert_eq!(changes(), changes());
        let ids: BTreeSet<ChangeId> = changes().iter().map(|change| change.id).collect();
        prop_assert_eq!(ids.len(), changes().len());
    }

    #[test]
    fn expected_is_what_the_target_expects(scans in scans()) {
        for (target, _, _, outcome) in apply(&scans) {
            for change in outcome.changes {
                if let Transition::Port { port, after, expected, .. } = change.transition {
                    let wanted = target.expected.as_ref().map(|ports| ports.contains(port));
                    let is_open = after == PortState::Open;
                    prop_assert_eq!(expected, wanted == Some(is_open));
                }
            }
        }
    }

    #[test]
    fn times_never_run_backwards(scans in scans()) {
        for (_, report, _, outcome) in apply(&scans) {
            let after = outcome.after;
            for (port, known) in &after.ports {
                prop_assert!(known.first_seen <= known.since, "{port}");
                prop_assert!(known.since <= known.last_seen, "{port}");
            }
            if report.state == HostState::Up {
                prop_assert!(after.since <= after.last_seen);
            }
        }
    }
}
