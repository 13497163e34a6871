//! A transition of a host or a port, and what is remembered so that it is seen once.

pub mod compare;
pub mod diff;
mod flapping;
mod runs;
mod severity;
mod state;
#[cfg(test)]
mod tests;
mod told;
mod transition;

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::job::JobId;
use crate::ports::Port;
use crate::spelling::words;
use crate::target::{TargetId, TargetRef, Zone};

pub use flapping::Flapping;
pub use runs::Runs;
pub use severity::Severity;
pub use state::{Findings, HostRecord, PortRecord, SoftHost, SoftPort};
pub use told::told_together;
pub use transition::{ChannelEvent, Transition};

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

    /// The id of the `number`th change of a target as a whole.
    pub fn of_target(target: TargetId, number: u64) -> Self {
        Self(Uuid::new_v5(
            &target.0,
            format!("change\ntarget\n{number}").as_bytes(),
        ))
    }

    /// The id of a change of a zone: `installation` is the database's id, `number` counts the zone's changes.
    pub fn of_zone(installation: Uuid, zone: &Zone, number: u64) -> Self {
        Self(Uuid::new_v5(
            &installation,
            format!("change\nzone\n{zone}\n{number}").as_bytes(),
        ))
    }

    /// The id of what became of a channel at `at`: `installation` is the database's id.
    pub fn of_channel(installation: Uuid, channel: &str, kind: ChangeKind, at: Timestamp) -> Self {
        let at = at.as_microsecond();
        Self(Uuid::new_v5(
            &installation,
            format!("change\nchannel\n{channel}\n{kind}\n{at}").as_bytes(),
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
    /// A port opens and closes again and again; its changes are not told until it is steady.
    PortFlapping,
    /// A port no longer flaps.
    PortSteady,
    /// Something else listens on a port that stayed open.
    PortService,
    /// A host answers again.
    HostUp,
    /// A host no longer answers.
    HostDown,
    /// A host answers *open* on everything.
    HostSuspect,
    /// A host goes up and down again and again; its changes are not told until it is steady.
    HostFlapping,
    /// A host no longer flaps.
    HostSteady,
    /// A name of the target resolves to other addresses.
    TargetAddress,
    /// A target was not scanned for three intervals.
    TargetOverdue,
    /// A target that was overdue was scanned.
    TargetScanned,
    /// The jobs of a zone are not done by anybody.
    ZoneUnattended,
    /// Jobs of an unattended zone are done again.
    ZoneAttended,
    /// A channel is switched off: what was for it goes to others.
    ChannelOff,
    /// A channel is switched on again.
    ChannelOn,
    /// Somebody tries a channel.
    ChannelTest,
}

words!(
    ChangeKind,
    "kind of change",
    PortOpened = "port.opened",
    PortClosed = "port.closed",
    PortFiltered = "port.filtered",
    PortFlapping = "port.flapping",
    PortSteady = "port.steady",
    PortService = "port.service",
    HostUp = "host.up",
    HostDown = "host.down",
    HostSuspect = "host.suspect",
    HostFlapping = "host.flapping",
    HostSteady = "host.steady",
    TargetAddress = "target.address",
    TargetOverdue = "target.overdue",
    TargetScanned = "target.scanned",
    ZoneUnattended = "zone.unattended",
    ZoneAttended = "zone.attended",
    ChannelOff = "channel.off",
    ChannelOn = "channel.on",
    ChannelTest = "channel.test"
);

/// One transition of a port, a host, a target, a zone or a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// From what to what.
    pub transition: Transition,
    /// How much it matters, by the target's policy when it was found.
    pub severity: Severity,
    /// Found while the port or host flaps: history keeps it, and nobody is told.
    pub quiet: bool,
    /// When it was seen.
    pub at: Timestamp,
}

impl Change {
    /// The event's name.
    pub const fn kind(&self) -> ChangeKind {
        self.transition.kind()
    }

    /// False for the baseline, for what flaps, and for ports that were not open and still are not: history
    /// keeps those, and nobody is told.
    pub fn is_news(&self) -> bool {
        !self.quiet && self.transition.is_news()
    }
}

/// The most changes that are told in one message, so that it fits the broker's limit.
pub const MAX_CHANGES_TOLD: usize = 200;

/// What changes are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// One host of a target.
    Host {
        /// The target.
        target: TargetRef,
        /// The host's address.
        ip: IpAddr,
        /// The host's name, if the target names it.
        name: Option<String>,
    },
    /// A target as a whole.
    Target(TargetRef),
    /// A zone.
    Zone(Zone),
    /// One of the channels by which people are told.
    Channel(String),
}

impl About {
    /// The target, unless it is about a zone or a channel.
    pub const fn target(&self) -> Option<&TargetRef> {
        match self {
            Self::Host { target, .. } | Self::Target(target) => Some(target),
            Self::Zone(_) | Self::Channel(_) => None,
        }
    }

    /// The zone, or that of the target; a channel has none.
    pub const fn zone(&self) -> Option<&Zone> {
        match self {
            Self::Host { target, .. } | Self::Target(target) => Some(&target.zone),
            Self::Zone(zone) => Some(zone),
            Self::Channel(_) => None,
        }
    }

    /// What it is, in a word: the host's name if it has one, else its address; the target's name; or
    /// which zone or channel.
    pub fn subject(&self) -> String {
        match self {
            Self::Host { ip, name, .. } => name.clone().unwrap_or_else(|| ip.to_string()),
            Self::Target(target) => target.name.clone(),
            Self::Zone(zone) => format!("zone {zone}"),
            Self::Channel(channel) => format!("channel {channel}"),
        }
    }
}

/// Changes that are told together: those of one host that one part of a snapshot brought, or one of a target, a
/// zone or a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// What they are about.
    pub about: About,
    /// The target's *notify* switch when the changes were found.
    pub notify: bool,
    /// The job that brought them; `None` for what no scan has seen.
    pub job: Option<JobId>,
    /// 1 to [`MAX_CHANGES_TOLD`] changes.
    pub changes: Vec<Change>,
}

impl Changes {
    /// The id under which they are told: the same for the same job, host and first change.
    pub fn id(&self) -> Uuid {
        let first = self
            .changes
            .first()
            .map(|change| change.id.0)
            .unwrap_or_default();
        match (&self.about, self.job) {
            (About::Host { ip, .. }, Some(job)) => {
                Uuid::new_v5(&job.0, format!("changes\n{ip}\n{first}").as_bytes())
            }
            _ => Uuid::new_v5(&first, b"changes"),
        }
    }

    /// The target, unless they are about a zone or a channel.
    pub const fn target(&self) -> Option<&TargetRef> {
        self.about.target()
    }

    /// The host's address, if they are about a host.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self.about {
            About::Host { ip, .. } => Some(ip),
            About::Target(_) | About::Zone(_) | About::Channel(_) => None,
        }
    }

    /// What they are about, in a word: see [`About::subject`].
    pub fn subject(&self) -> String {
        self.about.subject()
    }

    /// What must stay in order: everything about the same host, target, zone or channel.
    pub fn order_key(&self) -> String {
        match &self.about {
            About::Host { target, ip, .. } => format!("{} {ip}", target.id),
            About::Target(target) => target.id.to_string(),
            About::Zone(zone) => format!("zone {zone}"),
            About::Channel(channel) => format!("channel {channel}"),
        }
    }
}
