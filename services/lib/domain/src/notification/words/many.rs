//! Many changes of many hosts, in one line.

use super::super::summary::Summary;
use crate::change::ChangeKind;

/// `12 changes of 3 hosts: 10 ports opened, 2 hosts down`.
pub fn headline(summary: &Summary) -> String {
    let counts = summary.counts.iter();
    let parts: Vec<_> = counts.map(|&(kind, count)| counted(kind, count)).collect();
    let changes = if summary.reminder {
        plural(summary.changes(), "problem", "problems")
    } else {
        plural(summary.changes(), "change", "changes")
    };
    let subjects = match summary.targets.as_slice() {
        [] => plural(summary.subjects, "zone", "zones"),
        [target] => format!("{} of {target}", plural(summary.subjects, "host", "hosts")),
        _ => plural(summary.subjects, "host", "hosts"),
    };
    let still = if summary.reminder {
        "nobody has acknowledged "
    } else {
        ""
    };
    format!("{still}{changes} of {subjects}: {}", parts.join(", "))
}

/// What is not told one by one; `None` if everything is.
pub fn rest(summary: &Summary) -> Option<String> {
    let more = summary.more();
    (more > 0).then(|| format!("and {more} more: see portwatch history"))
}

fn counted(kind: ChangeKind, count: u32) -> String {
    let (one, many) = match kind {
        ChangeKind::PortOpened => ("port opened", "ports opened"),
        ChangeKind::PortClosed => ("port closed", "ports closed"),
        ChangeKind::PortFiltered => ("port filtered", "ports filtered"),
        ChangeKind::PortFlapping => ("port flapping", "ports flapping"),
        ChangeKind::PortSteady => ("port steady again", "ports steady again"),
        ChangeKind::PortService => ("port with another service", "ports with another service"),
        ChangeKind::HostUp => ("host up again", "hosts up again"),
        ChangeKind::HostDown => ("host down", "hosts down"),
        ChangeKind::HostSuspect => ("host suspect", "hosts suspect"),
        ChangeKind::HostFlapping => ("host flapping", "hosts flapping"),
        ChangeKind::HostSteady => ("host steady again", "hosts steady again"),
        ChangeKind::TargetAddress => ("name with other addresses", "names with other addresses"),
        ChangeKind::TargetOverdue => ("target overdue", "targets overdue"),
        ChangeKind::TargetScanned => ("target scanned again", "targets scanned again"),
        ChangeKind::ZoneUnattended => ("zone unattended", "zones unattended"),
        ChangeKind::ZoneAttended => ("zone attended again", "zones attended again"),
        ChangeKind::ChannelOff => ("channel switched off", "channels switched off"),
        ChangeKind::ChannelOn => ("channel switched on again", "channels switched on again"),
        ChangeKind::ChannelTest => ("test of a channel", "tests of channels"),
    };
    plural(count, one, many)
}

fn plural(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
