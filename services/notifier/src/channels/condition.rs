//! What a change begins or ends, for receivers that keep track of what is wrong.

use portwatch_domain::change::{About, Change, Changes, Severity, Transition};
use portwatch_domain::snapshot::{HostState, PortState};

/// Something that is wrong for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The same when it begins and when it ends; under 255 characters, which is what PagerDuty takes.
    pub key: String,
    /// What it is, in one word of letters.
    pub name: &'static str,
    /// What the change does to it.
    pub phase: Phase,
}

/// What a change does to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It begins.
    Begins,
    /// It ends.
    Ends,
    /// It happened, and nothing will tell its end.
    Happened,
}

/// The condition that a change is about. A port is in one that ends when the port is as it should be again.
pub(crate) fn condition(changes: &Changes, change: &Change) -> Condition {
    let phase = |begins: bool| {
        if begins { Phase::Begins } else { Phase::Ends }
    };
    let (name, phase) = match &change.transition {
        Transition::Port {
            after: PortState::Open,
            expected,
            ..
        } => ("PortState", phase(!expected)),
        Transition::Port { .. } => ("PortState", phase(change.severity > Severity::Info)),
        Transition::PortFlapping { begins, .. } => ("PortFlapping", phase(*begins)),
        Transition::Service { .. } => ("PortService", Phase::Happened),
        Transition::Host { after, suspect, .. } => (
            "HostState",
            phase(*suspect || !matches!(after, HostState::Up)),
        ),
        Transition::HostFlapping { begins, .. } => ("HostFlapping", phase(*begins)),
        Transition::Address { .. } => ("TargetAddress", Phase::Happened),
        Transition::Overdue { begins, .. } => ("TargetOverdue", phase(*begins)),
        Transition::Unattended { begins } => ("ZoneUnattended", phase(*begins)),
    };
    let key = if phase == Phase::Happened {
        format!("portwatch/{}", change.id.0)
    } else {
        key(changes, change, name)
    };
    Condition { key, name, phase }
}

fn key(changes: &Changes, change: &Change, name: &str) -> String {
    let place = match &changes.about {
        About::Host { target, ip, .. } => format!("{}/{ip}", target.id),
        About::Target(target) => target.id.to_string(),
        About::Zone(zone) => format!("zone/{zone}"),
    };
    match change.transition.port() {
        Some(port) => format!("portwatch/{place}/{port}/{name}"),
        None => format!("portwatch/{place}/{name}"),
    }
}
