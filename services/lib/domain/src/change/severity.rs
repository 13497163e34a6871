//! What is expected of a host, and how much a change matters by that.

use super::{Findings, HostRecord, Transition};
use crate::ports::{Port, PortSet};
use crate::snapshot::{HostState, PortState};
use crate::spelling::words;
use crate::target::Target;

/// How much a change matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// As it should be.
    Info,
    /// Worth knowing.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
}

words!(
    Severity,
    "severity",
    Info = "info",
    Low = "low",
    Medium = "medium",
    High = "high"
);

impl Severity {
    /// How much a transition matters, whatever is expected.
    pub const fn of(transition: &Transition) -> Self {
        match transition {
            Transition::Port { .. }
            | Transition::PortFlapping { begins: false, .. }
            | Transition::HostFlapping { begins: false, .. }
            | Transition::Host {
                after: HostState::Up,
                suspect: false,
                ..
            }
            | Transition::Overdue { begins: false, .. }
            | Transition::Unattended { begins: false } => Self::Info,
            Transition::Service { .. } | Transition::Address { .. } => Self::Low,
            Transition::PortFlapping { .. }
            | Transition::HostFlapping { .. }
            | Transition::Host { suspect: true, .. } => Self::Medium,
            Transition::Host { .. }
            | Transition::Overdue { .. }
            | Transition::Unattended { .. } => Self::High,
        }
    }
}

/// Which ports of a host should be open, and which may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy<'a> {
    /// Those that should be; `None` if nobody has said.
    expected: Option<&'a PortSet>,
    /// Those that may be.
    allowed: &'a PortSet,
}

impl<'a> Policy<'a> {
    /// What was approved for the host goes before what the target expects.
    pub(super) fn of(target: &'a Target, approved: Option<&'a PortSet>) -> Self {
        Self {
            expected: approved.or(target.expected.as_ref()),
            allowed: &target.allowed,
        }
    }

    /// Whether the port should be in this state; without a policy, nothing is expected.
    pub(super) fn expects(&self, port: Port, state: PortState) -> bool {
        let should = self.expected.is_some_and(|ports| ports.contains(port));
        if state == PortState::Open {
            should || self.allowed.contains(port)
        } else {
            self.expected.is_some() && !should
        }
    }

    /// How the host differs from what is expected.
    pub(super) fn findings(&self, target: &Target, host: &HostRecord) -> Findings {
        let Some(expected) = self.expected else {
            return Findings::default();
        };
        let open = host.open().intersection(&target.ports);
        let unexpected = open.difference(expected).difference(self.allowed);
        let missing = if host.state == HostState::Up {
            let judged = expected.intersection(&host.baseline);
            judged.difference(&open).len()
        } else {
            // A host that is down is one finding, and it has been told.
            0
        };
        let count = |ports: usize| u32::try_from(ports).unwrap_or(u32::MAX);
        Findings {
            unexpected_open: count(unexpected.len()),
            expected_closed: count(missing),
        }
    }

    /// How much a transition matters. The baseline is as it is.
    pub(super) fn severity(&self, transition: &Transition) -> Severity {
        match transition {
            Transition::Port {
                before: PortState::Unknown,
                ..
            }
            | Transition::Host {
                before: HostState::Unknown,
                suspect: false,
                ..
            } => Severity::Info,
            Transition::Port { expected: true, .. } => Severity::Info,
            Transition::Port {
                after: PortState::Open,
                ..
            } => Severity::High,
            Transition::Port {
                before: PortState::Open,
                ..
            } => Severity::Medium,
            _ => Severity::of(transition),
        }
    }
}

impl HostRecord {
    /// How the host differs from what is expected of it: what was approved for it, or else what the target says.
    pub fn findings_by(&self, target: &Target) -> Findings {
        Policy::of(target, self.approved.as_ref()).findings(target, self)
    }
}
