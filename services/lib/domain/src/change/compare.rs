//! What differs between two scans of a target, by undoing what happened since.
//!
//! History keeps every transition, so the state after any run is the state now with the transitions of later runs
//! undone, newest first. Runs older than the history cannot be compared.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Change, HostRecord, Transition};
use crate::ports::Port;
use crate::snapshot::PortState;
use crate::spelling::words;

/// A transition with where and in which run it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The run.
    pub run: u64,
    /// The host.
    pub ip: IpAddr,
    /// What happened.
    pub change: Change,
}

/// How a port differs between two scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// Open in the second, and never before.
    New,
    /// Open in the second, and it was closed since it was last open.
    Reopened,
    /// Open in the first, and not in the second.
    Closed,
    /// Open in both, with something else behind it.
    Changed,
}

words!(
    Difference,
    "difference",
    New = "new",
    Reopened = "reopened",
    Closed = "closed",
    Changed = "changed"
);

/// A port that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortDifference {
    /// The host.
    pub ip: IpAddr,
    /// The port.
    pub port: Port,
    /// How.
    pub difference: Difference,
    /// Its state in the first scan.
    pub before: PortState,
    /// Its state in the second scan.
    pub after: PortState,
}

/// One port, on the way back from now.
struct Undone {
    state: PortState,
    /// Its state after the second run.
    second: PortState,
    /// How many of its transitions are not undone yet.
    left: u64,
    closed_between: bool,
    served_otherwise: bool,
}

/// What differs between the states after run `first` and after run `second`, by address and port. `hosts` are the
/// records now; `past` holds every transition of the target of runs later than `first`, newest first.
pub fn compare(
    hosts: &[HostRecord],
    past: &[Past],
    first: u64,
    second: u64,
) -> Vec<PortDifference> {
    let mut ports = now(hosts);
    undo(
        &mut ports,
        past.iter().filter(|past| past.run > second),
        false,
    );
    for port in ports.values_mut() {
        port.second = port.state;
    }
    let between = |past: &&Past| past.run > first && past.run <= second;
    undo(&mut ports, past.iter().filter(between), true);
    let differences = ports.into_iter().filter_map(|((ip, port), undone)| {
        Some(PortDifference {
            ip,
            port,
            difference: undone.difference()?,
            before: undone.state,
            after: undone.second,
        })
    });
    differences.collect()
}

fn now(hosts: &[HostRecord]) -> BTreeMap<(IpAddr, Port), Undone> {
    let mut ports = BTreeMap::new();
    for host in hosts {
        for (&port, record) in &host.ports {
            let undone = Undone {
                state: record.state,
                second: record.state,
                left: record.transition,
                closed_between: false,
                served_otherwise: false,
            };
            ports.insert((host.ip, port), undone);
        }
    }
    ports
}

fn undo<'a>(
    ports: &mut BTreeMap<(IpAddr, Port), Undone>,
    past: impl Iterator<Item = &'a Past>,
    is_between: bool,
) {
    for Past { ip, change, .. } in past {
        let known = change.transition.port();
        let Some(port) = known.and_then(|port| ports.get_mut(&(*ip, port))) else {
            continue;
        };
        port.left = port.left.saturating_sub(1);
        match &change.transition {
            Transition::Port { before, after, .. } => {
                port.state = *before;
                port.closed_between |= is_between && *after != PortState::Open;
            }
            Transition::Service { .. } => port.served_otherwise |= is_between,
            _ => {}
        }
    }
}

impl Undone {
    fn difference(&self) -> Option<Difference> {
        let is_open = |state| state == PortState::Open;
        match (is_open(self.state), is_open(self.second)) {
            (true, false) => Some(Difference::Closed),
            (false, true) if self.left > 0 => Some(Difference::Reopened),
            (false, true) => Some(Difference::New),
            (true, true) if self.closed_between => Some(Difference::Reopened),
            (true, true) if self.served_otherwise => Some(Difference::Changed),
            (true, true) | (false, false) => None,
        }
    }
}
