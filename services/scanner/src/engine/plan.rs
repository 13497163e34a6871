//! What an engine is told before it starts.

use std::net::IpAddr;

use portwatch_domain::ports::PortSet;
use portwatch_packet::{Addresses, Key};

use super::Moment;
use super::track::ATTEMPTS;

/// How many source ports control probes take turns with, so that none hits what is left of an earlier one.
pub(crate) const CONTROL_PORTS: u8 = 16;
/// How many consecutive source ports a scan needs: one for each attempt, and those of the controls.
pub const SOURCE_PORTS: u16 = ATTEMPTS as u16 + CONTROL_PORTS as u16;

/// One host to scan.
#[derive(Clone, Debug)]
pub struct PlannedHost {
    /// Our address towards it, and its own.
    pub addresses: Addresses,
    /// Its ports that were last known open.
    pub known_open: PortSet,
}

/// The random bits of one scan. With the same bits, the same answers at the same times give the same scan.
#[derive(Clone, Copy, Debug)]
pub struct Secrets {
    /// The key of the sweep's cookies.
    pub sweep: Key,
    /// The key of the cookies of verification and controls.
    pub verify: Key,
    /// The seed of the order of probes and of the choice of decoy ports.
    pub order: u64,
}

/// What to scan, and within which bounds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Each address once.
    pub hosts: Vec<PlannedHost>,
    /// Only its TCP ports are scanned.
    pub ports: PortSet,
    /// The most probes per second of this scan, at least 1.
    pub rate: u32,
    /// How many probes may be out at first, if the scan is to find its rate by itself.
    pub window: Option<Window>,
    /// How many attempts there may be on a port that does not answer, at least 1.
    pub attempts: u8,
    /// When to stop, whatever is still unknown.
    pub deadline: Moment,
    /// A host with more open ports than this is suspect.
    pub max_open_ports: u32,
    /// The first of [`SOURCE_PORTS`] source ports, at most 65535 less their number.
    pub first_source_port: u16,
    /// The random bits.
    pub secrets: Secrets,
}

/// How many probes may be out before anything is known of a path.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// To one host.
    pub host: u32,
    /// To one network: an IPv4 /24 or an IPv6 /64.
    pub network: u32,
}

impl PlannedHost {
    /// Its address.
    pub fn ip(&self) -> IpAddr {
        self.addresses.destination()
    }
}
