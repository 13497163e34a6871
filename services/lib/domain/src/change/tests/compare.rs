//! Any two scans, compared from what history keeps.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::compare::{Difference, Past, compare};
use super::super::{HostRecord, Transition};
use super::world::{Watch, apply, ip, scans, seen};
use crate::ports::Port;
use crate::snapshot::service::SafeText;
use crate::snapshot::{HostReport, PortState, Service};

/// A host's scans, and every transition, newest first.
#[derive(Default)]
struct Kept {
    past: Vec<Past>,
}

impl Kept {
    fn scan(&mut self, watch: &mut Watch, report: &HostReport) {
        let changes = watch.scan(report);
        for change in changes {
            let run = watch.run;
            let past = Past {
                run,
                ip: ip(),
                change,
            };
            self.past.insert(0, past);
        }
    }
}

fn open(ports: &str) -> HostReport {
    let closed: Vec<String> = (1..=5)
        .filter(|port: &u16| !ports.split(',').any(|open| open == port.to_string()))
        .map(|port| port.to_string())
        .collect();
    seen("1-5", ports, &closed.join(","), "", "")
}

#[test]
fn new_reopened_closed_and_changed_ports_are_told_apart() {
    use Difference::{Changed, Closed, New, Reopened};
    let mut watch = Watch::of("1-5");
    let mut kept = Kept::default();
    let serving = |text: &str| {
        let mut report = open("1,2,4");
        report.ports[0].service = Some(Service {
            product: Some(SafeText::new(text)),
            ..Service::default()
        });
        report
    };
    for report in [
        open("1,2"),
        open("1,2,3"),
        open("1,2"),
        serving("nginx"),
        serving("caddy"),
        open("1,3,4"),
        open("1,2,3,4"),
    ] {
        kept.scan(&mut watch, &report);
    }
    let hosts = [watch.record];
    let between = |first, second| {
        let found = compare(&hosts, &kept.past, first, second);
        let said = found
            .iter()
            .map(|found| (found.port.number, found.difference));
        said.collect::<Vec<_>>()
    };
    assert_eq!(between(1, 1), []);
    assert_eq!(between(1, 2), [(3, New)]);
    assert_eq!(between(2, 3), [(3, Closed)]);
    assert_eq!(between(1, 3), []);
    assert_eq!(between(3, 4), [(4, New)]);
    assert_eq!(between(4, 5), [(1, Changed)]);
    assert_eq!(between(5, 6), [(2, Closed), (3, Reopened)]);
    assert_eq!(
        between(1, 6),
        [(1, Changed), (2, Closed), (3, New), (4, New)]
    );
    assert_eq!(between(5, 7), [(2, Reopened), (3, Reopened)]);
    assert_eq!(between(0, 1), [(1, New), (2, New)]);
}

proptest! {
    #[test]
    fn undoing_gives_back_what_was_known(scans in scans(), first in 0_usize..25, later in 0_usize..25) {
        let steps = apply(&scans);
        let (first, second) = (first.min(steps.len()), (first + later).min(steps.len()));
        let mut past = Vec::new();
        for (run, (.., outcome)) in steps.iter().enumerate() {
            for change in &outcome.changes {
                let change = change.clone();
                past.insert(0, Past { run: run as u64 + 1, ip: ip(), change });
            }
        }
        // A port that was taken out and came back has a transition from nothing: what was before is not kept.
        let is_cut = past.iter().any(|past| matches!(
            past.change.transition,
            Transition::Port { before: PortState::Unknown, .. }
        ) && past.run > 1);
        prop_assume!(!is_cut);
        let state = |record: &HostRecord| -> BTreeMap<Port, PortState> {
            let open = record.ports.iter().filter(|(_, port)| port.state == PortState::Open);
            open.map(|(&port, known)| (port, known.state)).collect()
        };
        let after = |run: usize| match run {
            0 => BTreeMap::new(),
            run => state(&steps[run - 1].3.after),
        };
        let hosts = [steps[steps.len() - 1].3.after.clone()];
        let (was, is) = (after(first), after(second));
        for found in compare(&hosts, &past, first as u64, second as u64) {
            prop_assert_eq!(was.contains_key(&found.port), found.before == PortState::Open);
            prop_assert_eq!(is.contains_key(&found.port), found.after == PortState::Open);
        }
        let told = compare(&hosts, &past, first as u64, second as u64);
        for port in was.keys().chain(is.keys()) {
            let differs = was.contains_key(port) != is.contains_key(port);
            let is_told = told.iter().any(|found| found.port == *port);
            prop_assert!(is_told || !differs, "{}", port);
        }
    }
}
