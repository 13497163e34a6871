//! What is remembered of a host between two scans.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Flapping, Runs};
use crate::ports::{Port, PortSet};
use crate::snapshot::{Evidence, HostState, PortState, Service};

/// A new state of a port that not enough scans have seen yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftPort {
    /// The new state.
    pub state: PortState,
    /// Why, as first seen.
    pub evidence: Evidence,
    /// What listened there when it was first seen open and asked.
    pub service: Option<Service>,
    /// When it was first seen.
    pub since: Timestamp,
    /// How many scans in a row have seen it.
    pub scans: u8,
}

/// A new state of a host that not enough scans have seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftHost {
    /// The new state.
    pub state: HostState,
    /// When it was first seen.
    pub since: Timestamp,
    /// How many scans in a row have seen it.
    pub scans: u8,
}

/// How a host differs from the ports that are expected of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Ports that are open and should not be.
    pub unexpected_open: u32,
    /// Ports that are not open and should be.
    pub expected_closed: u32,
}

/// What is remembered of a port that is or has been open, or that an alert once concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRecord {
    /// The last conclusive state.
    pub state: PortState,
    /// Since when.
    pub since: Timestamp,
    /// When it was first found open.
    pub first_seen: Timestamp,
    /// When a scan that covered the port last confirmed the state.
    pub last_seen: Timestamp,
    /// How many transitions it has had, the baseline included.
    pub transition: u64,
    /// The evidence of the last transition: why the state is what it is, not what confirmed it since.
    pub evidence: Evidence,
    /// What listened there when it was last asked, while the port is open.
    pub service: Option<Service>,
    /// What the last scans saw instead, until enough have. Few ports have any, and all are moved about.
    pub soft: Option<Box<SoftPort>>,
    /// How often its verdicts changed of late.
    pub flapping: Flapping,
}

/// What is remembered of one address of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRecord {
    /// The address.
    pub ip: IpAddr,
    /// The name it was last scanned by.
    pub name: Option<String>,
    /// The last conclusive state.
    pub state: HostState,
    /// It was last found to answer *open* on everything.
    pub suspect: bool,
    /// Since when it is in this state; `None` before the first conclusive one.
    pub since: Option<Timestamp>,
    /// When it last answered.
    pub last_seen: Option<Timestamp>,
    /// What the last scans saw instead, until enough have.
    pub soft: Option<SoftHost>,
    /// How often its verdicts changed of late.
    pub flapping: Flapping,
    /// Which runs were applied.
    pub runs: Runs,
    /// How many transitions the host has had, the baseline included.
    pub transition: u64,
    /// The ports that have had a first conclusive verdict: only these can make news.
    pub baseline: PortSet,
    /// The ports that somebody approved to be open here; they go before the target's expected ports.
    pub approved: Option<PortSet>,
    /// How it differs from what is expected.
    pub findings: Findings,
    /// The ports that are or have been open. A port of the baseline that is not here was never
    /// seen open.
    pub ports: BTreeMap<Port, PortRecord>,
}

impl HostRecord {
    /// A host of which nothing is known.
    pub const fn new(ip: IpAddr) -> Self {
        Self {
            ip,
            name: None,
            state: HostState::Unknown,
            suspect: false,
            since: None,
            last_seen: None,
            soft: None,
            flapping: Flapping {
                window: 0,
                flaps: false,
            },
            runs: Runs::new(),
            transition: 0,
            baseline: PortSet::empty(),
            approved: None,
            findings: Findings {
                unexpected_open: 0,
                expected_closed: 0,
            },
            ports: BTreeMap::new(),
        }
    }

    /// The ports last known open.
    pub fn open(&self) -> PortSet {
        let open = self
            .ports
            .iter()
            .filter(|(_, record)| record.state == PortState::Open);
        open.map(|(&port, _)| port).collect()
    }
}
