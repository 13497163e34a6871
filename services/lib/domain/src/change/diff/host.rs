//! The host's own state.

use super::super::{Change, ChangeId, HostRecord, SoftHost, Transition};
use super::{Scan, change};
use crate::snapshot::{HostReport, HostState, PortState};

/// Applies what a report says of the host; the report must be conclusive and newer than the last.
pub(super) fn judge(
    scan: Scan<'_>,
    host: &mut HostRecord,
    report: &HostReport,
    changes: &mut Vec<Change>,
) {
    if report.state == HostState::Up {
        host.last_seen = Some(scan.at);
    }
    if report.state == HostState::Down || report.suspect {
        hold(host, report);
    }
    let before = host.soft.map_or(host.state, |soft| soft.state);
    let is_other = before != HostState::Unknown && before != report.state;
    let turn = host.flapping.take(is_other);
    transition(scan, host, report, turn, changes);
    if let Some(begins) = turn {
        host.transition += 1;
        let id = ChangeId::of_host(scan.target.id, host.ip, host.transition);
        let state = host.state;
        let flapping = Transition::HostFlapping { begins, state };
        changes.push(change(id, flapping, false, scan.at));
    }
}

/// What may be the host's doing is not the ports': closings that are not confirmed yet, and openings of a host
/// that answers *open* on everything.
fn hold(host: &mut HostRecord, report: &HostReport) {
    for port in host.ports.values_mut() {
        port.soft.take_if(|soft| match soft.state {
            PortState::Open => report.suspect,
            _ => report.state == HostState::Down,
        });
    }
    host.ports.retain(|_, port| !port.is_forgettable());
}

fn transition(
    scan: Scan<'_>,
    host: &mut HostRecord,
    report: &HostReport,
    turn: Option<bool>,
    changes: &mut Vec<Change>,
) {
    let became_suspect = report.suspect && !host.suspect;
    host.suspect = report.suspect;
    if host.state == report.state {
        host.soft = None;
        if !became_suspect {
            return;
        }
    }
    let since = match host.soft {
        Some(soft) if soft.state == report.state => soft.since,
        _ => scan.at,
    };
    if host.state != report.state && !confirmed(scan, host, report.state) {
        return;
    }
    host.soft = None;
    let before = host.state;
    if before != report.state {
        host.since = Some(since);
    }
    host.state = report.state;
    host.transition += 1;
    let transition = Transition::Host {
        before,
        after: report.state,
        suspect: became_suspect,
    };
    let id = ChangeId::of_host(scan.target.id, host.ip, host.transition);
    // The transition with which it begins is told as its beginning, and the one with which it ends as its end.
    let quiet = (host.flapping.flaps || turn == Some(false)) && !became_suspect;
    changes.push(change(id, transition, quiet, since));
}

/// Whether enough scans have seen the new state; if not, one more has.
fn confirmed(scan: Scan<'_>, host: &mut HostRecord, state: HostState) -> bool {
    let needed = if host.state == HostState::Up && state == HostState::Down {
        scan.target.confirm.down
    } else {
        1
    };
    let soft = match host.soft {
        Some(soft) if soft.state == state => SoftHost {
            scans: soft.scans.saturating_add(1),
            ..soft
        },
        _ => SoftHost {
            state,
            since: scan.at,
            scans: 1,
        },
    };
    host.soft = Some(soft);
    soft.scans >= needed
}
