//! (what is remembered, what was seen) → (what is remembered now, what changed).

use jiff::Timestamp;

use super::{Change, ChangeId, Flapping, HostRecord, PortRecord, Severity, Transition};
use crate::ports::{Port, PortSet};
use crate::snapshot::{HostReport, HostState, PortState, PortVerdict, Service};
use crate::target::Target;

/// What a report did to a host's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is remembered from now on.
    pub after: HostRecord,
    /// Every transition, the baseline included: the history.
    pub changes: Vec<Change>,
    /// The report belonged to an older run than one already applied, and nothing was taken from it.
    pub stale: bool,
}

/// Applies the report of run `run`, finished at `at`, to the record of the same host.
///
/// Only covered ports that the target still watches can change. A port that was open changes on a
/// verdict of its own, never on the summary of the rest, because only such verdicts are verified.
/// The first conclusive verdict on a port is its baseline. A verdict that confirms what is known moves
/// `last_seen` and nothing else; the evidence stays that of the transition.
pub fn diff(
    target: &Target,
    before: HostRecord,
    report: &HostReport,
    run: u64,
    at: Timestamp,
) -> Outcome {
    if run < before.runs.newest() {
        return Outcome {
            after: before,
            changes: Vec::new(),
            stale: true,
        };
    }
    let mut after = before;
    after.runs.judge(run, &report.coverage);
    after.name.clone_from(&report.name);
    let mut changes = Vec::new();
    changes.extend(host_transition(target, &mut after, report, at));

    let covered = report.coverage.intersection(&target.ports);
    let baseline = after.baseline.intersection(&target.ports);
    for verdict in report
        .ports
        .iter()
        .filter(|verdict| covered.contains(verdict.port))
    {
        let known = baseline.contains(verdict.port);
        changes.extend(port_transition(target, &mut after, verdict, known, at));
    }
    summarised_ports(&mut after, report, &covered, at);
    after.baseline = baseline.union(&covered);
    Outcome {
        after,
        changes,
        stale: false,
    }
}

fn host_transition(
    target: &Target,
    record: &mut HostRecord,
    report: &HostReport,
    at: Timestamp,
) -> Option<Change> {
    if report.state == HostState::Unknown {
        return None;
    }
    if report.state == HostState::Up {
        record.last_seen = Some(at);
    }
    let became_suspect = report.suspect && !record.suspect;
    record.suspect = report.suspect;
    if record.state == report.state && !became_suspect {
        return None;
    }
    let before = record.state;
    if record.state != report.state {
        record.since = Some(at);
    }
    record.state = report.state;
    record.transition += 1;
    Some(Change {
        id: ChangeId::of_host(target.id, record.ip, record.transition),
        transition: Transition::Host {
            before,
            after: report.state,
            suspect: became_suspect,
        },
        severity: Severity::Medium,
        quiet: false,
        at,
    })
}

/// Applies one verdict. `known` says that the port has had its baseline.
fn port_transition(
    target: &Target,
    host: &mut HostRecord,
    verdict: &PortVerdict,
    known: bool,
    at: Timestamp,
) -> Option<Change> {
    let port = verdict.port;
    let before = match host.ports.get(&port) {
        _ if !known => PortState::Unknown,
        Some(record) => record.state,
        None => PortState::Closed,
    };
    let Some(record) = host.ports.get_mut(&port) else {
        // Ports that were never open are remembered by the baseline alone.
        if verdict.state != PortState::Open {
            return None;
        }
        host.ports.insert(
            port,
            PortRecord {
                state: verdict.state,
                since: at,
                first_seen: at,
                last_seen: at,
                transition: 1,
                evidence: verdict.evidence,
                service: verdict.service.clone(),
                soft: None,
                flapping: Flapping::default(),
            },
        );
        return Some(port_change(target, host, verdict, before, at));
    };
    record.last_seen = record.last_seen.max(at);
    remember_service(record, verdict, before);
    if before == verdict.state {
        return None;
    }
    record.state = verdict.state;
    record.evidence = verdict.evidence;
    record.since = at;
    record.transition += 1;
    Some(port_change(target, host, verdict, before, at))
}

/// A sweep does not ask what is open anyway, so what is known stays until the port closes.
fn remember_service(record: &mut PortRecord, verdict: &PortVerdict, before: PortState) {
    let told = service_of(verdict);
    let stays_open = before == PortState::Open && verdict.state == PortState::Open;
    if !stays_open || told.is_some() {
        record.service = told;
    }
}

/// Nothing listens on a port that is not open, whatever a verdict says.
fn service_of(verdict: &PortVerdict) -> Option<Service> {
    verdict
        .service
        .clone()
        .filter(|_| verdict.state == PortState::Open)
}

fn port_change(
    target: &Target,
    host: &HostRecord,
    verdict: &PortVerdict,
    before: PortState,
    at: Timestamp,
) -> Change {
    let port = verdict.port;
    let transition = host.ports.get(&port).map_or(1, |record| record.transition);
    Change {
        id: ChangeId::of_port(target.id, host.ip, port, transition),
        transition: Transition::Port {
            port,
            before,
            after: verdict.state,
            evidence: verdict.evidence,
            expected: is_expected(target, port, verdict.state),
            service: service_of(verdict),
        },
        severity: Severity::Medium,
        quiet: false,
        at,
    }
}

/// Whether the target's expected ports want the port in this state; without any, nothing is expected.
fn is_expected(target: &Target, port: Port, state: PortState) -> bool {
    target
        .expected
        .as_ref()
        .is_some_and(|expected| expected.contains(port) == (state == PortState::Open))
}

/// Ports told only in sum (closed or filtered, never verified one by one) confirm a record that
/// says the same, and change nothing.
fn summarised_ports(host: &mut HostRecord, report: &HostReport, covered: &PortSet, at: Timestamp) {
    let told: PortSet = report.ports.iter().map(|verdict| verdict.port).collect();
    for (&port, record) in &mut host.ports {
        if !covered.contains(port) || told.contains(port) {
            continue;
        }
        let seen = if report.filtered.contains(port) {
            PortState::Filtered
        } else {
            PortState::Closed
        };
        if record.state == seen {
            record.last_seen = record.last_seen.max(at);
        }
    }
}
