//! The links and neighbours of this machine, kept up to date by notifications.

use std::collections::HashMap;
use std::net::IpAddr;

use super::message::{Link, Mac, Neighbour};

/// The network interfaces.
#[derive(Debug, Default)]
pub(super) struct Links(HashMap<u32, Link>);

impl Links {
    /// Takes in a link. True if what matters of it is new.
    pub(super) fn update(&mut self, mut link: Link) -> bool {
        let before = self.0.get(&link.index).copied();
        link.address = link.address.or(before.and_then(|before| before.address));
        self.0.insert(link.index, link);
        before != Some(link)
    }

    /// A link is gone. True if it was known.
    pub(super) fn remove(&mut self, link: Link) -> bool {
        self.0.remove(&link.index).is_some()
    }

    /// Our own address on the link, if frames can be sent there.
    pub(super) fn address(&self, index: u32) -> Option<Mac> {
        self.0.get(&index).filter(|link| link.usable)?.address
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Which hardware address stands behind which neighbour. Those without one are not kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbours(HashMap<(u32, IpAddr), Mac>);

impl Neighbours {
    /// Takes in a neighbour. True if its hardware address appeared, changed or vanished: going stale and being found
    /// reachable again is nothing new.
    pub(super) fn update(&mut self, (neighbour, address): Neighbour) -> bool {
        match address {
            Some(address) => self.0.insert(neighbour, address) != Some(address),
            None => self.0.remove(&neighbour).is_some(),
        }
    }

    pub(super) fn address(&self, interface: u32, neighbour: IpAddr) -> Option<Mac> {
        self.0.get(&(interface, neighbour)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_new_only_with_its_address() {
        let mut neighbours = Neighbours::default();
        let neighbour = (2, IpAddr::from([198, 18, 0, 2]));
        assert!(!neighbours.update((neighbour, None)));
        assert!(neighbours.update((neighbour, Some([2; 6]))));
        assert!(!neighbours.update((neighbour, Some([2; 6]))));
        assert!(neighbours.update((neighbour, Some([4; 6]))));
        assert_eq!(neighbours.address(2, neighbour.1), Some([4; 6]));
        assert_eq!(neighbours.address(3, neighbour.1), None);
        assert!(neighbours.update((neighbour, None)));
        assert!(!neighbours.update((neighbour, None)));
    }

    #[test]
    fn a_link_keeps_its_address_when_a_notification_leaves_it_out() {
        let mut links = Links::default();
        let link = Link {
            index: 2,
            usable: true,
            address: Some([2; 6]),
        };
        assert!(links.update(link));
        let without = Link {
            address: None,
            ..link
        };
        assert!(!links.update(without));
        assert_eq!(links.address(2), Some([2; 6]));
        let down = Link {
            usable: false,
            ..link
        };
        assert!(links.update(down));
        assert_eq!(links.address(2), None);
        assert!(links.remove(down));
        assert!(!links.remove(down));
    }
}
