//! What is watched: addresses, ports, a schedule and the three switches, in a group and a zone.

mod address;
pub mod names;
mod schedule;
mod switches;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use uuid::Uuid;

pub use address::{Address, AddressError, IpRange};
pub use schedule::{Cron, Every, MIN_INTERVAL, Schedule, ScheduleError, Window, is_within};
pub use switches::{Switches, Switching};

use crate::ports::PortSet;

/// The most addresses that one target may hold: 2²⁰, a /12 of IPv4.
pub const MAX_HOSTS: u128 = 1 << 20;

/// Namespace of the ids that are made from a target's source and name.
const TARGET_IDS: Uuid = Uuid::from_u128(0x6f0d_3c5e_92b4_4d1a_8e57_1b0c_9a64_e2f3);

/// A target's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(pub Uuid);

impl TargetId {
    /// The id of the target that `source` calls `name`: the same at every start.
    pub fn derive(source: &str, name: &str) -> Self {
        Self(Uuid::new_v5(
            &TARGET_IDS,
            format!("{source}\n{name}").as_bytes(),
        ))
    }

    /// The id of the same target in one installation. Ids of jobs, changes and deliveries are made
    /// from it, and receivers drop what they have seen: no two installations may share any.
    #[must_use]
    pub fn within(self, installation: Uuid) -> Self {
        Self(Uuid::new_v5(&installation, self.0.as_bytes()))
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which scanner workers can reach a target; part of a queue's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

impl Zone {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The zone's name cannot be part of a queue's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a zone: use 1 to 32 of a-z, 0-9 and -")]
pub struct ZoneError(String);

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=32).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(ZoneError(text.to_owned()))
        }
    }
}

/// How many scans in a row must see a new state before it is told: Icinga's hard state. While there are fewer, the
/// ports are looked at again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// Until a port counts as open; at least 1.
    pub open: u8,
    /// Until an open port counts as closed or filtered; at least 1.
    pub close: u8,
    /// Until a host counts as down; at least 1.
    pub down: u8,
}

impl Default for Confirm {
    fn default() -> Self {
        Self {
            open: 1,
            close: 2,
            down: 1,
        }
    }
}

/// A target, as an operator asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// What people call it.
    pub name: String,
    /// Who it belongs to.
    pub group: String,
    /// Words that rules can name it by.
    pub tags: Vec<String>,
    /// Which workers scan it.
    pub zone: Zone,
    /// What is scanned.
    pub addresses: Vec<Address>,
    /// What is not, whatever `addresses` says.
    pub exclude: Vec<IpRange>,
    /// The ports watched on each address.
    pub ports: PortSet,
    /// The ports that should be open; `None` if nobody has said.
    pub expected: Option<PortSet>,
    /// The ports that may be open, or not, without anybody minding.
    pub allowed: PortSet,
    /// How many scans must agree.
    pub confirm: Confirm,
    /// When it is scanned.
    pub schedule: Schedule,
    /// Blocks and ranges are first asked which of their hosts are there.
    pub discovery: bool,
    /// When a name moves from one address to another, state and history move with it.
    pub follow_names: bool,
    /// The most probes per second that a worker sends for this target.
    pub rate: u32,
    /// The three switches.
    pub switches: Switches,
}

/// A target, as far as those who are told need to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRef {
    /// Its id.
    pub id: TargetId,
    /// What people call it.
    pub name: String,
    /// Who it belongs to.
    pub group: String,
    /// Words that rules can name it by.
    pub tags: Vec<String>,
    /// Which scanners reach it.
    pub zone: Zone,
}

/// Why a target cannot be watched.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// No addresses.
    #[error("the target {0:?} has no addresses")]
    NoAddresses(String),
    /// No ports.
    #[error("the target {0:?} has no ports")]
    NoPorts(String),
    /// More addresses than one target may hold.
    #[error("the target {name:?} has {hosts} addresses, and {MAX_HOSTS} is the most: split it")]
    TooManyHosts {
        /// The target's name.
        name: String,
        /// How many addresses it has.
        hosts: u128,
    },
    /// An address that is not of one host.
    #[error("the target {name:?}: {ip} is not the address of a host")]
    NotAHost {
        /// The target's name.
        name: String,
        /// The address.
        ip: IpAddr,
    },
    /// Every address is excluded.
    #[error("the target {0:?} has no address left after its exclusions")]
    AllExcluded(String),
    /// The schedule cannot be kept.
    #[error("the target {name:?}: {cause}")]
    Schedule {
        /// The target's name.
        name: String,
        /// Why not.
        cause: ScheduleError,
    },
    /// A number of scans to confirm by is 0.
    #[error("the target {0:?} wants a state confirmed by 0 scans: 1 is the least")]
    Confirm(String),
    /// The rate is 0.
    #[error("the target {0:?} has a rate of 0 probes per second")]
    Rate(String),
}

impl Target {
    /// Whether people call it so: by its name, or `group/name`.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name
            || name
                .strip_prefix(self.group.as_str())
                .and_then(|rest| rest.strip_prefix('/'))
                == Some(self.name.as_str())
    }

    /// Checks what the types cannot.
    pub fn check(&self) -> Result<(), TargetError> {
        let name = || self.name.clone();
        if self.addresses.is_empty() {
            return Err(TargetError::NoAddresses(name()));
        }
        if self.ports.is_empty() {
            return Err(TargetError::NoPorts(name()));
        }
        let hosts = self
            .addresses
            .iter()
            .filter_map(Address::range)
            .fold(0_u128, |sum, range| sum.saturating_add(range.len()));
        if hosts > MAX_HOSTS {
            return Err(TargetError::TooManyHosts {
                name: name(),
                hosts,
            });
        }
        if let Some(ip) = self.addresses.iter().find_map(not_a_host) {
            return Err(TargetError::NotAHost { name: name(), ip });
        }
        let has_name = self
            .addresses
            .iter()
            .any(|address| address.range().is_none());
        if !has_name && !self.literal_hosts().any(|ip| !self.is_excluded(ip)) {
            return Err(TargetError::AllExcluded(name()));
        }
        self.schedule
            .check()
            .map_err(|cause| TargetError::Schedule {
                name: name(),
                cause,
            })?;
        if [self.confirm.open, self.confirm.close, self.confirm.down].contains(&0) {
            return Err(TargetError::Confirm(name()));
        }
        if self.rate == 0 {
            return Err(TargetError::Rate(name()));
        }
        Ok(())
    }

    /// As those who are told know it.
    pub fn reference(&self) -> TargetRef {
        TargetRef {
            id: self.id,
            name: self.name.clone(),
            group: self.group.clone(),
            tags: self.tags.clone(),
            zone: self.zone.clone(),
        }
    }

    /// True if no packet may go to this address on behalf of this target.
    pub fn is_excluded(&self, address: IpAddr) -> bool {
        self.exclude.iter().any(|range| range.contains(address))
    }

    /// The names that have to be resolved before the target can be scanned.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().filter_map(|address| match address {
            Address::Name(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Every address that is written as a number, IPv4 never as IPv6; may repeat where items overlap.
    pub fn literal_hosts(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses
            .iter()
            .filter_map(Address::range)
            .flat_map(|range| range.iter())
            .map(|ip| ip.to_canonical())
    }
}

/// The address, if it was given by itself and can never be one host's.
fn not_a_host(address: &Address) -> Option<IpAddr> {
    let Address::Ip(ip) = *address else {
        return None;
    };
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    (ip.is_unspecified() || ip.is_multicast() || is_broadcast).then_some(ip)
}
