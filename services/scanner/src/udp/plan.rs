//! What a UDP scan is told before it starts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portwatch_domain::ports::PortSet;
use portwatch_packet::{Addresses, Flow, Key, Ports};

use super::payloads::Token;
use crate::engine::Moment;
use crate::settings::Retries;

/// One host to scan.
#[derive(Clone, Debug)]
pub struct UdpTarget {
    /// Its address, in canonical form.
    pub ip: IpAddr,
    /// Its ports that were last known open. They are probed first.
    pub known_open: PortSet,
}

/// What to scan, and within which bounds.
#[derive(Clone, Debug)]
pub struct UdpPlan {
    /// Each address once.
    pub hosts: Vec<UdpTarget>,
    /// Only its UDP ports are scanned.
    pub ports: PortSet,
    /// The most probes per second of this scan, at least 1.
    pub rate: u32,
    /// When to stop, whatever is still unknown.
    pub deadline: Moment,
    /// How often a silent port is asked again.
    pub retries: Retries,
    /// The key of the tokens in the probes: fresh random bits for each scan.
    pub key: Key,
    /// The seed of the order of the ports.
    pub order: u64,
}

/// The token of the probes of this port on this lane.
pub(super) fn token(key: &Key, ip: IpAddr, port: u16, lane: u8) -> Token {
    // Which of our addresses the kernel chooses is not known here, and need not be.
    let addresses = match ip {
        IpAddr::V4(_) => Addresses::new(Ipv4Addr::UNSPECIFIED.into(), ip),
        IpAddr::V6(_) => Addresses::new(Ipv6Addr::UNSPECIFIED.into(), ip),
    };
    let half = |half: u16| {
        let ports = Ports {
            source: (half << 8) | u16::from(lane),
            destination: port,
        };
        addresses.map_or(0, |addresses| key.sequence(&Flow { addresses, ports }))
    };
    Token((u64::from(half(0)) << 32) | u64::from(half(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_lane_and_port_has_a_token_of_its_own(bits: [u8; 16], port: u16, lane in 0_u8..9) {
            let (key, ip) = (Key::new(bits), [198, 18, 0, 1].into());
            let here = token(&key, ip, port, lane);
            prop_assert_ne!(here, token(&key, ip, port, lane + 1));
            prop_assert_ne!(here, token(&key, ip, port.wrapping_add(1), lane));
            prop_assert_ne!(here, token(&key, [198, 18, 0, 2].into(), port, lane));
        }
    }
}
