//! From which state to which.

use std::net::IpAddr;

use jiff::Timestamp;

use super::ChangeKind;
use crate::ports::Port;
use crate::snapshot::service::SafeText;
use crate::snapshot::{Evidence, HostState, PortState, Service};

/// From which state to which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Of one port.
    Port {
        /// Which port.
        port: Port,
        /// Its state until now; [`PortState::Unknown`] at the baseline.
        before: PortState,
        /// Its state from now on.
        after: PortState,
        /// Why.
        evidence: Evidence,
        /// Whether the port should be in this state, by the target's expected ports.
        expected: bool,
        /// What listens there, if the port opened and was asked.
        service: Option<Service>,
    },
    /// What listens on a port that stayed open.
    Service {
        /// Which port.
        port: Port,
        /// What listened there.
        before: Service,
        /// What listens there from now on.
        after: Service,
    },
    /// A port began or ceased to flap.
    PortFlapping {
        /// Which port.
        port: Port,
        /// True if it begins, false if it is steady again.
        begins: bool,
        /// The state that it has now.
        state: PortState,
    },
    /// Of the host.
    Host {
        /// Its state until now; [`HostState::Unknown`] at the baseline.
        before: HostState,
        /// Its state from now on.
        after: HostState,
        /// It was found to answer *open* on everything.
        suspect: bool,
    },
    /// The host began or ceased to flap.
    HostFlapping {
        /// True if it begins, false if it is steady again.
        begins: bool,
        /// The state that it has now.
        state: HostState,
    },
    /// A name of the target resolves to other addresses.
    Address {
        /// The name.
        name: String,
        /// Its addresses until now, sorted; never empty.
        before: Vec<IpAddr>,
        /// Its addresses from now on, sorted; never empty.
        after: Vec<IpAddr>,
    },
    /// The target was not scanned for three intervals, or was scanned after that.
    Overdue {
        /// True if it is overdue, false if it was scanned.
        begins: bool,
        /// When a scan of it was last complete.
        scanned_at: Option<Timestamp>,
    },
    /// Nobody does the zone's jobs, or somebody does again.
    Unattended {
        /// True if nobody does them, false if somebody does again.
        begins: bool,
    },
    /// Of a channel.
    Channel(ChannelEvent),
}

/// What becomes of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// It is switched off.
    Off {
        /// Why, in words.
        reason: SafeText<200>,
    },
    /// It is switched on again.
    On,
    /// Somebody tries it.
    Test,
}

impl Transition {
    /// The event's name.
    pub const fn kind(&self) -> ChangeKind {
        match self {
            Self::Port {
                after: PortState::Open,
                ..
            } => ChangeKind::PortOpened,
            Self::Port {
                after: PortState::Filtered,
                ..
            } => ChangeKind::PortFiltered,
            Self::Port { .. } => ChangeKind::PortClosed,
            Self::Service { .. } => ChangeKind::PortService,
            Self::PortFlapping { begins: true, .. } => ChangeKind::PortFlapping,
            Self::PortFlapping { begins: false, .. } => ChangeKind::PortSteady,
            Self::Host { suspect: true, .. } => ChangeKind::HostSuspect,
            Self::Host {
                after: HostState::Up,
                ..
            } => ChangeKind::HostUp,
            Self::Host { .. } => ChangeKind::HostDown,
            Self::HostFlapping { begins: true, .. } => ChangeKind::HostFlapping,
            Self::HostFlapping { begins: false, .. } => ChangeKind::HostSteady,
            Self::Address { .. } => ChangeKind::TargetAddress,
            Self::Overdue { begins: true, .. } => ChangeKind::TargetOverdue,
            Self::Overdue { begins: false, .. } => ChangeKind::TargetScanned,
            Self::Unattended { begins: true } => ChangeKind::ZoneUnattended,
            Self::Unattended { begins: false } => ChangeKind::ZoneAttended,
            Self::Channel(ChannelEvent::Off { .. }) => ChangeKind::ChannelOff,
            Self::Channel(ChannelEvent::On) => ChangeKind::ChannelOn,
            Self::Channel(ChannelEvent::Test) => ChangeKind::ChannelTest,
        }
    }

    /// The port, if it is about one.
    pub const fn port(&self) -> Option<Port> {
        match self {
            Self::Port { port, .. }
            | Self::Service { port, .. }
            | Self::PortFlapping { port, .. } => Some(*port),
            _ => None,
        }
    }

    pub(super) fn is_news(&self) -> bool {
        match self {
            Self::Host { before, .. } => *before != HostState::Unknown,
            Self::Port { before, after, .. } => {
                *before != PortState::Unknown
                    && (*before == PortState::Open || *after == PortState::Open)
            }
            _ => true,
        }
    }
}
