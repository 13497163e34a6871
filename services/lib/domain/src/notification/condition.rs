//! What a change begins or ends, for receivers that keep track of what is wrong.

use crate::change::{About, Change, Changes, ChannelEvent, Severity, Transition};
use crate::snapshot::{HostState, PortState};

/// Something that is wrong for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The same when it begins and when it ends; under 255 characters, which is what PagerDuty takes.
    pub key: String,
    /// What it is, in one word of letters.
    pub name: &'static str,
    /// What the change does to it.
    pub phase: Phase,
}

/// What a change does to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It begins.
    Begins,
    /// It ends.
    Ends,
    /// It happened, and nothing will tell its end.
    Happened,
}

/// The conditions that a change begins and ends. A port that opens and should not be open is in one until it closes, and
/// one that closes and was not to is in another until it opens; so each ends what the other has begun.
pub fn conditions(changes: &Changes, change: &Change) -> Vec<Condition> {
    let phase = |begins: bool| {
        if begins { Phase::Begins } else { Phase::Ends }
    };
    let all = match &change.transition {
        Transition::Port {
            after: PortState::Open,
            expected,
            ..
        } => vec![("PortClosed", Phase::Ends), ("PortOpen", phase(!expected))],
        Transition::Port { .. } => vec![
            ("PortOpen", Phase::Ends),
            ("PortClosed", phase(change.severity > Severity::Info)),
        ],
        Transition::PortFlapping { begins, .. } => vec![("PortFlapping", phase(*begins))],
        Transition::Service { .. } => vec![("PortService", Phase::Happened)],
        Transition::Host { after, suspect, .. } => vec![(
            "HostState",
            phase(*suspect || !matches!(after, HostState::Up)),
        )],
        Transition::HostFlapping { begins, .. } => vec![("HostFlapping", phase(*begins))],
        Transition::Address { .. } => vec![("TargetAddress", Phase::Happened)],
        Transition::Overdue { begins, .. } => vec![("TargetOverdue", phase(*begins))],
        Transition::Unattended { begins } => vec![("ZoneUnattended", phase(*begins))],
        Transition::Channel(ChannelEvent::Off { .. }) => vec![("ChannelOff", Phase::Begins)],
        Transition::Channel(ChannelEvent::On) => vec![("ChannelOff", Phase::Ends)],
        Transition::Channel(ChannelEvent::Test) => vec![("ChannelTest", Phase::Happened)],
    };
    let named = |(name, phase)| Condition {
        key: match phase {
            Phase::Happened => format!("portwatch/{}", change.id.0),
            _ => key(changes, change, name),
        },
        name,
        phase,
    };
    all.into_iter().map(named).collect()
}

fn key(changes: &Changes, change: &Change, name: &str) -> String {
    let place = match &changes.about {
        About::Host { target, ip, .. } => format!("{}/{ip}", target.id),
        About::Target(target) => target.id.to_string(),
        About::Zone(zone) => format!("zone/{zone}"),
        About::Channel(channel) => format!("channel/{channel}"),
    };
    match change.transition.port() {
        Some(port) => format!("portwatch/{place}/{port}/{name}"),
        None => format!("portwatch/{place}/{name}"),
    }
}
