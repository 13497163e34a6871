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

/// The place-th port of a host's order: a full cycle of a linear congruence (Knuth, *The Art of Computer
/// Programming*, volume 2, section 3.2.1), so that every port comes exactly once and neighbours seldom follow
/// each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycle {
    len: u64,
    step: u64,
    first: u64,
}

impl Cycle {
    /// The order of `len` ports that belongs to this seed.
    pub(super) fn new(len: usize, seed: u64) -> Self {
        let len = (len as u64).max(1);
        let mixed = mix(seed);
        // About a golden section of the length, or the next step that has no divisor in common with it.
        let near = (len * 618 / 1000 + mixed % 61) % len;
        let step = (near..near + len).find(|&step| divisor(step, len) == 1);
        Self {
            len,
            step: step.unwrap_or(1),
            first: mix(mixed) % len,
        }
    }

    /// What stands at `place`.
    pub(super) fn at(&self, place: usize) -> usize {
        let value = (self.first + place as u64 % self.len * self.step) % self.len;
        usize::try_from(value).unwrap_or_default()
    }
}

/// The greatest common divisor, by Euclid.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, 2014).
fn mix(seed: u64) -> u64 {
    let value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_port_comes_exactly_once(len in 1_usize..3000, seed: u64) {
            let cycle = Cycle::new(len, seed);
            let mut seen: Vec<usize> = (0..len).map(|place| cycle.at(place)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }

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
