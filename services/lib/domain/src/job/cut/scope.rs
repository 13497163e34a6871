//! Which part of a target a run looks at.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::ports::PortSet;
use crate::target::{Address, Target};

/// How often a target whose hosts are looked for first is scanned in full all the same, so that a host which answers
/// on none of the usual ports is found too.
pub const FULL_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// The ports that nearly every host answers on, if only to refuse.
pub const USUAL_PORTS: [u16; 10] = [22, 25, 53, 80, 135, 139, 443, 445, 3389, 8080];

/// Blocks smaller than that are not searched for hosts.
const SMALLEST_BLOCK: u128 = 16;

/// Fewer ports than that are asked at once.
const FEW_PORTS: usize = 64;

/// Which part of a target a run looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All its hosts and ports.
    Whole,
    /// Which hosts of its blocks are there: the usual ports, and those known open. Hosts that are listed by
    /// themselves are asked for all ports.
    Discovery,
    /// The hosts of its blocks that a discovery found, and all ports.
    Found(Vec<IpAddr>),
    /// Some hosts, some ports, or both; what is not the target's is left out.
    Part {
        /// `None` for all of the target's.
        hosts: Option<Vec<IpAddr>>,
        /// `None` for all of the target's.
        ports: Option<PortSet>,
    },
}

/// What a run by schedule looks at. `full_at` is when the last run began that looked at the whole target as it now
/// is.
pub fn scope_of_slot(target: &Target, full_at: Option<Timestamp>, now: Timestamp) -> Scope {
    let pays =
        target.discovery && target.ports.len() > FEW_PORTS && target.addresses.iter().any(is_block);
    // A time ahead of the clock is of before it was set back.
    let is_recent = full_at.is_some_and(|at| now.duration_since(at).abs() < FULL_EVERY);
    if pays && is_recent {
        Scope::Discovery
    } else {
        Scope::Whole
    }
}

/// True for a host that is not only there as one of a block.
pub(super) fn is_alone(target: &Target, names: &HashMap<IpAddr, &str>, ip: IpAddr) -> bool {
    let listed = target.addresses.iter().filter(|address| !is_block(address));
    names.contains_key(&ip)
        || listed
            .filter_map(Address::range)
            .any(|range| range.contains(ip))
}

fn is_block(address: &Address) -> bool {
    address
        .range()
        .is_some_and(|range| range.len() >= SMALLEST_BLOCK)
}
