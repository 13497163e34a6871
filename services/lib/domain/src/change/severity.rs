//! What is expected of a host, and how much a change matters by that.

use super::{ChannelEvent, Findings, HostRecord, Transition};
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
    /// How much a transition matters, by whether it was expected. The baseline is as it is.
    pub const fn of(transition: &Transition) -> Self {
        match transition {
            Transition::Port {
                before,
                after,
                expected,
                ..
            } => match (before, after) {
                (PortState::Unknown, _) => Self::Info,
                _ if *expected => Self::Info,
                (_, PortState::Open) => Self::High,
                (PortState::Open, _) => Self::Medium,
                _ => Self::Info,
            },
            Transition::Host { suspect: true, .. }
            | Transition::PortFlapping { begins: true, .. }
            | Transition::HostFlapping { begins: true, .. } => Self::Medium,
            Transition::Host {
                before: HostState::Unknown,
                ..
            }
            | Transition::Host {
                after: HostState::Up,
                ..
            }
            | Transition::PortFlapping { .. }
            | Transition::HostFlapping { .. }
            | Transition::Overdue { begins: false, .. }
            | Transition::Unattended { begins: false }
            | Transition::Channel(ChannelEvent::On | ChannelEvent::Test) => Self::Info,
            Transition::Service { .. } | Transition::Address { .. } => Self::Low,
            Transition::Host { .. }
            | Transition::Overdue { .. }
            | Transition::Unattended { .. }
            | Transition::Channel(ChannelEvent::Off { .. }) => Self::High,
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
        let count = |ports: PortSet| u32::try_from(ports.len()).unwrap_or(u32::MAX);
        Findings {
            unexpected_open: count(self.unexpected_open(target, host)),
            expected_closed: count(self.expected_closed(target, host)),
        }
    }

    fn unexpected_open(&self, target: &Target, host: &HostRecord) -> PortSet {
        let Some(expected) = self.expected else {
            return PortSet::empty();
        };
        let open = host.open().intersection(&target.ports);
        open.difference(expected).difference(self.allowed)
    }

    fn expected_closed(&self, target: &Target, host: &HostRecord) -> PortSet {
        match self.expected {
            Some(expected) if host.state == HostState::Up => {
                let open = host.open().intersection(&target.ports);
                expected.intersection(&host.baseline).difference(&open)
            }
            // A host that is down is one finding, and it has been told.
            _ => PortSet::empty(),
        }
    }
}

impl HostRecord {
    /// How the host differs from what is expected of it: what was approved for it, or else what the target says.
    pub fn findings_by(&self, target: &Target) -> Findings {
        Policy::of(target, self.approved.as_ref()).findings(target, self)
    }

    /// The ports that are open and should not be; none if nobody has said what should.
    pub fn unexpected_open(&self, target: &Target) -> PortSet {
        Policy::of(target, self.approved.as_ref()).unexpected_open(target, self)
    }

    /// The ports that should be open and are not; none while the host is not up.
    pub fn expected_closed(&self, target: &Target) -> PortSet {
        Policy::of(target, self.approved.as_ref()).expected_closed(target, self)
    }
}
