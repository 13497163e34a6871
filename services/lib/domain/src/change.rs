//! A transition of a host or a port, and what is remembered so that it is seen once.

pub mod diff;
mod state;
#[cfg(test)]
mod tests;
mod told;

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::job::JobId;
use crate::ports::Port;
use crate::snapshot::{Evidence, HostState, PortState, Service};
use crate::spelling::words;
use crate::target::TargetId;

pub use state::{HostRecord, PortRecord};
pub use told::told_together;

/// A change's id: the same however often the change is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub Uuid);

impl ChangeId {
    /// The id of the `transition`th transition of a port.
    pub fn of_port(target: TargetId, ip: IpAddr, port: Port, transition: u64) -> Self {
        Self(Uuid::new_v5(
            &target.0,
            format!("change\n{ip}\n{port}\n{transition}").as_bytes(),
        ))
    }

    /// The id of the `transition`th transition of a host.
    pub fn of_host(target: TargetId, ip: IpAddr, transition: u64) -> Self {
        Self(Uuid::new_v5(
            &target.0,
            format!("change\n{ip}\nhost\n{transition}").as_bytes(),
        ))
    }
}

/// What happened, as event names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// A port answers that did not.
    PortOpened,
    /// A port refuses.
    PortClosed,
    /// A port no longer answers, or is rejected on the way.
    PortFiltered,
    /// A host answers again.
    HostUp,
    /// A host no longer answers.
    HostDown,
    /// A host answers *open* on everything.
    HostSuspect,
}

words!(
    ChangeKind,
    "kind of change",
    PortOpened = "port.opened",
    PortClosed = "port.closed",
    PortFiltered = "port.filtered",
    HostUp = "host.up",
    HostDown = "host.down",
    HostSuspect = "host.suspect"
);

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
    /// Of the host.
    Host {
        /// Its state until now; [`HostState::Unknown`] at the baseline.
        before: HostState,
        /// Its state from now on.
        after: HostState,
        /// It was found to answer *open* on everything.
        suspect: bool,
    },
}

/// One transition of one host or port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// From what to what.
    pub transition: Transition,
    /// When the scanner saw it.
    pub at: Timestamp,
}

impl Change {
    /// The event's name.
    pub const fn kind(&self) -> ChangeKind {
        match self.transition {
            Transition::Host { suspect: true, .. } => ChangeKind::HostSuspect,
            Transition::Host {
                after: HostState::Up,
                ..
            } => ChangeKind::HostUp,
            Transition::Host { .. } => ChangeKind::HostDown,
            Transition::Port {
                after: PortState::Open,
                ..
            } => ChangeKind::PortOpened,
            Transition::Port {
                after: PortState::Filtered,
                ..
            } => ChangeKind::PortFiltered,
            Transition::Port { .. } => ChangeKind::PortClosed,
        }
    }

    /// False for the baseline, and for ports that were not open and still are not: history keeps
    /// those, and nobody is told.
    pub fn is_news(&self) -> bool {
        match self.transition {
            Transition::Host { before, .. } => before != HostState::Unknown,
            Transition::Port { before, after, .. } => {
                before != PortState::Unknown
                    && (before == PortState::Open || after == PortState::Open)
            }
        }
    }
}

/// The most changes that are told in one message, so that it fits the broker's limit.
pub const MAX_CHANGES_TOLD: usize = 200;

/// The changes of one host that one part of a snapshot brought: what is told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChanges {
    /// Which target.
    pub target: TargetId,
    /// What people call the target.
    pub target_name: String,
    /// The target's group.
    pub group: String,
    /// The target's *notify* switch when the changes were found.
    pub notify: bool,
    /// The job that brought them.
    pub job: JobId,
    /// The host's address.
    pub ip: IpAddr,
    /// The host's name, if the target names it.
    pub host_name: Option<String>,
    /// 1 to [`MAX_CHANGES_TOLD`] changes.
    pub changes: Vec<Change>,
}

impl HostChanges {
    /// The id under which they are told: the same for the same job, host and first change.
    pub fn id(&self) -> Uuid {
        let first = self
            .changes
            .first()
            .map(|change| change.id.0)
            .unwrap_or_default();
        Uuid::new_v5(
            &self.job.0,
            format!("changes\n{}\n{first}", self.ip).as_bytes(),
        )
    }

    /// The name if there is one, else the address.
    pub fn host(&self) -> String {
        self.host_name
            .clone()
            .unwrap_or_else(|| self.ip.to_string())
    }
}
