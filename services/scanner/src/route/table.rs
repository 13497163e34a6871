//! The kernel's decisions, remembered for as long as they hold.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::Selector;
use super::stretches::{Prefix, Stretches, number};

/// With more stretches than this (100,000 routes have two ends each), the kernel is asked for each destination.
const MOST_STRETCHES: usize = 200_000;
/// How many destinations are remembered one by one.
const MOST_SINGLE: usize = 1 << 17;

/// What the kernel does with packets to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    /// It refuses them, with this errno.
    Refused(i32),
    /// It must send them itself.
    Kernel { source: IpAddr },
    /// They go out on a link: to the gateway, or else to the destination itself.
    Link {
        source: IpAddr,
        interface: u32,
        gateway: Option<IpAddr>,
    },
}

/// Decisions, by stretches of destinations or one by one.
#[derive(Debug)]
pub(super) struct Table {
    ipv4: Stretches<Hop>,
    ipv6: Stretches<Hop>,
    /// All routes and rules have been cut in.
    is_whole: bool,
    /// There are too many of them to be kept.
    is_too_large: bool,
    /// Some go by the source.
    by_source: bool,
    single: HashMap<IpAddr, Hop>,
    gateways: HashSet<IpAddr>,
}

impl Table {
    /// Without any route. The kernel treats some addresses in their own way whatever the routes are: they are cut
    /// out here.
    pub(super) fn new() -> Self {
        let mut table = Self {
            ipv4: Stretches::new(),
            ipv6: Stretches::new(),
            is_whole: false,
            is_too_large: false,
            by_source: false,
            single: HashMap::new(),
            gateways: HashSet::new(),
        };
        let [unspecified, multicast, broadcast] = [
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::new(224, 0, 0, 0),
            Ipv4Addr::BROADCAST,
        ];
        for (address, length) in [(unspecified, 32), (multicast, 4), (broadcast, 32)] {
            table.ipv4.cut(Prefix::new(address.into(), length));
        }
        let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
        let multicast = Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0);
        for (address, length) in [
            (Ipv6Addr::UNSPECIFIED, 128),
            (link_local, 10),
            (multicast, 8),
        ] {
            table.ipv6.cut(Prefix::new(address.into(), length));
        }
        table
    }

    /// Cuts in a route or rule. What is remembered is not touched: [`Self::forget`] it if it is older.
    pub(super) fn cut(&mut self, selector: Selector) {
        self.by_source |= selector.by_source;
        if self.is_too_large {
            return;
        }
        let stretches = if selector.is_ipv4 {
            &mut self.ipv4
        } else {
            &mut self.ipv6
        };
        stretches.cut(selector.destinations);
        if self.ipv4.len() + self.ipv6.len() > MOST_STRETCHES {
            self.is_too_large = true;
            self.ipv4 = Stretches::new();
            self.ipv6 = Stretches::new();
        }
    }

    /// Forgets the decisions.
    pub(super) fn forget(&mut self) {
        self.ipv4.forget();
        self.ipv6.forget();
        self.single.clear();
        self.gateways.clear();
    }

    pub(super) fn get(&self, destination: IpAddr) -> Option<Hop> {
        if let Some(hop) = self.single.get(&destination) {
            return Some(*hop);
        }
        if !self.by_stretch() {
            return None;
        }
        let stretches = match destination {
            IpAddr::V4(_) => &self.ipv4,
            IpAddr::V6(_) => &self.ipv6,
        };
        stretches.get(number(destination))
    }

    /// Remembers a decision: of this one destination, or of all in its stretch.
    pub(super) fn remember(&mut self, destination: IpAddr, hop: Hop, of_one: bool) {
        if let Hop::Link {
            gateway: Some(gateway),
            ..
        } = hop
        {
            self.gateways.insert(gateway);
        }
        if self.by_stretch() && !of_one {
            let stretches = match destination {
                IpAddr::V4(_) => &mut self.ipv4,
                IpAddr::V6(_) => &mut self.ipv6,
            };
            stretches.remember(number(destination), hop);
            return;
        }
        if self.single.len() >= MOST_SINGLE {
            self.single.clear();
        }
        self.single.insert(destination, hop);
    }

    fn by_stretch(&self) -> bool {
        self.is_whole && !self.is_too_large
    }

    /// Routes and rules have been read: all of them, or not.
    pub(super) fn read(&mut self, is_whole: bool) {
        self.is_whole = is_whole;
    }

    /// It is worth reading the routes again: the last time they were not all there, and they are not too many.
    pub(super) fn is_wanting(&self) -> bool {
        !self.is_whole && !self.is_too_large
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    pub(super) fn by_source(&self) -> bool {
        self.by_source
    }

    /// Packets go through this gateway as far as is remembered.
    pub(super) fn uses(&self, gateway: IpAddr) -> bool {
        self.gateways.contains(&gateway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_routes_are_not_kept() {
        let mut table = Table::new();
        let address = |at: u32| IpAddr::V4(at.into());
        for at in 0..=100_000 {
            table.cut(Selector {
                is_ipv4: true,
                destinations: Prefix::new(address(at * 4), 32),
                by_source: false,
            });
        }
        table.read(true);
        assert!(table.is_too_large() && !table.is_wanting());
        assert_eq!(table.ipv4.len(), 1);
        // One by one, and never more than so many.
        let hop = Hop::Refused(libc::ENETUNREACH);
        for at in 0..=200_000 {
            assert_eq!(table.get(address(at)), None);
            table.remember(address(at), hop, false);
            assert_eq!(table.get(address(at)), Some(hop));
        }
        assert!(table.single.len() <= MOST_SINGLE);
        table.forget();
        assert_eq!(table.get(address(200_000)), None);
    }

    #[test]
    fn a_decision_for_one_destination_is_not_taken_for_others() {
        let mut table = Table::new();
        table.read(true);
        let [redirected, other] = [1, 2].map(|last| IpAddr::V4([198, 18, 0, last].into()));
        table.remember(other, Hop::Refused(1), false);
        table.remember(redirected, Hop::Refused(2), true);
        assert_eq!(table.get(other), Some(Hop::Refused(1)));
        assert_eq!(table.get(redirected), Some(Hop::Refused(2)));
    }
}
