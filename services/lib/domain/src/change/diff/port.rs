//! The states of a host's ports.

use super::super::{Change, ChangeId, Flapping, HostRecord, PortRecord, SoftPort, Transition};
use super::{Scan, change};
use crate::ports::{Port, PortSet};
use crate::snapshot::{HostReport, PortState, PortVerdict, Service};

/// Applies the verdicts on ports of `fresh`. Those of `baseline` have had their first.
pub(super) fn judge(
    scan: Scan<'_>,
    host: &mut HostRecord,
    report: &HostReport,
    fresh: &PortSet,
    baseline: &PortSet,
    changes: &mut Vec<Change>,
) {
    let verdicts = report.ports.iter();
    for verdict in verdicts.filter(|verdict| fresh.contains(verdict.port)) {
        let known = baseline.contains(verdict.port);
        one(scan, host, verdict, known, changes);
    }
    summarised(scan, host, report, fresh, changes);
    host.ports.retain(|_, port| !port.is_forgettable());
}

/// Applies one verdict. `known` says that the port has had its baseline.
fn one(
    scan: Scan<'_>,
    host: &mut HostRecord,
    verdict: &PortVerdict,
    known: bool,
    changes: &mut Vec<Change>,
) {
    if verdict.state != PortState::Open && !host.ports.contains_key(&verdict.port) {
        // Ports that were never open are remembered by the baseline alone.
        return;
    }
    let fresh = || PortRecord {
        state: PortState::Closed,
        since: scan.at,
        first_seen: scan.at,
        last_seen: scan.at,
        transition: 0,
        evidence: verdict.evidence,
        service: None,
        soft: None,
        flapping: Flapping::default(),
    };
    let record = host.ports.entry(verdict.port).or_insert_with(fresh);
    let mut told = Told {
        scan,
        ip: host.ip,
        port: verdict.port,
        changes,
    };
    let turn = record.take(verdict.state, known);
    if known && record.state == verdict.state {
        record.last_seen = record.last_seen.max(scan.at);
        record.soft = None;
        told.service(record, verdict);
    } else {
        told.other_state(record, verdict, known, turn);
    }
    told.flapping(record, turn);
}

/// Ports told only in sum (closed or filtered, never verified one by one) confirm a record that says the same, and
/// that it was no more than a passing opening; they change nothing.
fn summarised(
    scan: Scan<'_>,
    host: &mut HostRecord,
    report: &HostReport,
    fresh: &PortSet,
    changes: &mut Vec<Change>,
) {
    let told: PortSet = report.ports.iter().map(|verdict| verdict.port).collect();
    let ip = host.ip;
    for (&port, record) in &mut host.ports {
        if !fresh.contains(port) || told.contains(port) || record.state == PortState::Open {
            continue;
        }
        let seen = if report.filtered.contains(port) {
            PortState::Filtered
        } else {
            PortState::Closed
        };
        // Closed or filtered, it is not open: as a verdict it is the same as before.
        let turn = record.take(record.state, true);
        record.soft = None;
        let mut told = Told {
            scan,
            ip,
            port,
            changes,
        };
        told.flapping(record, turn);
        if record.state == seen {
            record.last_seen = record.last_seen.max(scan.at);
        }
    }
}

/// What is told of a port.
struct Told<'a, 'b> {
    scan: Scan<'a>,
    ip: std::net::IpAddr,
    port: Port,
    changes: &'b mut Vec<Change>,
}

impl Told<'_, '_> {
    /// A verdict that is not what is known: a transition if enough scans have seen it, or one more has.
    fn other_state(
        &mut self,
        record: &mut PortRecord,
        verdict: &PortVerdict,
        known: bool,
        turn: Option<bool>,
    ) {
        let soft = soften(record, verdict, self.scan.at);
        let confirm = self.scan.target.confirm;
        let needed = match (known, record.state, verdict.state) {
            (true, _, PortState::Open) => confirm.open,
            (true, PortState::Open, _) => confirm.close,
            // The baseline, and what was not open and still is not.
            _ => 1,
        };
        if soft.scans < needed {
            record.soft = Some(Box::new(soft));
            return;
        }
        let before = if known {
            record.state
        } else {
            PortState::Unknown
        };
        let is_first = record.transition == 0;
        // Since when it is known to be so, not since when that is certain.
        record.since = soft.since;
        if is_first {
            record.first_seen = soft.since;
        }
        record.last_seen = record.last_seen.max(self.scan.at);
        record.soft = None;
        record.evidence = verdict.evidence;
        record.service = soft.service;
        record.state = verdict.state;
        let transition = Transition::Port {
            port: self.port,
            before,
            after: verdict.state,
            evidence: verdict.evidence,
            expected: self.scan.policy.expects(self.port, verdict.state),
            service: record.service.clone(),
        };
        // The one with which the flapping begins is told as its beginning, and the one with which it ends as its end.
        let quiet = record.flapping.flaps || turn == Some(false);
        self.push(record, transition, quiet, soft.since);
    }

    /// A port that stays open: what listens there may have changed. A sweep does not ask, so what is known stays.
    fn service(&mut self, record: &mut PortRecord, verdict: &PortVerdict) {
        let Some(after) = service_of(verdict) else {
            return;
        };
        let before = record.service.replace(after.clone());
        if let Some(before) = before.filter(|before| after.is_another(before)) {
            let transition = Transition::Service {
                port: self.port,
                before,
                after,
            };
            let quiet = record.flapping.flaps;
            self.push(record, transition, quiet, self.scan.at);
        }
    }

    fn flapping(&mut self, record: &mut PortRecord, turn: Option<bool>) {
        let Some(begins) = turn else { return };
        let transition = Transition::PortFlapping {
            port: self.port,
            begins,
            state: record.state,
        };
        self.push(record, transition, false, self.scan.at);
    }

    fn push(
        &mut self,
        record: &mut PortRecord,
        transition: Transition,
        quiet: bool,
        at: jiff::Timestamp,
    ) {
        record.transition += 1;
        let target = self.scan.target.id;
        let id = ChangeId::of_port(target, self.ip, self.port, record.transition);
        self.changes.push(change(id, transition, quiet, at));
    }
}

/// The soft state that a verdict leads to.
fn soften(record: &PortRecord, verdict: &PortVerdict, at: jiff::Timestamp) -> SoftPort {
    match &record.soft {
        Some(soft) if soft.state == verdict.state => SoftPort {
            scans: soft.scans.saturating_add(1),
            service: service_of(verdict).or_else(|| soft.service.clone()),
            ..soft.as_ref().clone()
        },
        _ => SoftPort {
            state: verdict.state,
            evidence: verdict.evidence,
            service: service_of(verdict),
            since: at,
            scans: 1,
        },
    }
}

impl PortRecord {
    /// Takes a verdict into the measure of flapping.
    fn take(&mut self, state: PortState, known: bool) -> Option<bool> {
        let before = self.soft.as_ref().map_or(self.state, |soft| soft.state);
        self.flapping.take(known && before != state)
    }

    /// A port that was never open, and whose opening was not confirmed.
    pub(super) const fn is_forgettable(&self) -> bool {
        self.transition == 0 && self.soft.is_none()
    }
}

/// Nothing listens on a port that is not open, whatever a verdict says.
fn service_of(verdict: &PortVerdict) -> Option<Service> {
    verdict
        .service
        .clone()
        .filter(|_| verdict.state == PortState::Open)
}
