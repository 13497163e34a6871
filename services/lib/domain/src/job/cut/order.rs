//! The order of hosts: another in each run, and neighbours in a network far apart, so that no network's router or
//! firewall gets its part of a scan in one go.

use std::net::IpAddr;

use crate::target::TargetId;

/// The seed of a run's order.
pub(super) fn seed(target: TargetId, run: u64) -> u64 {
    let (high, low) = target.0.as_u64_pair();
    mix(high ^ mix(low ^ mix(run)))
}

/// Puts the hosts of each /24 or /64 at even distances over the whole, in an order that the seed decides.
pub(super) fn spread(hosts: &mut [IpAddr], seed: u64) {
    let mut by_network: Vec<(u128, u64, IpAddr)> = hosts
        .iter()
        .map(|&ip| (network(ip), hash(ip, seed), ip))
        .collect();
    by_network.sort_unstable();
    let mut placed: Vec<(u64, u64, IpAddr)> = Vec::with_capacity(hosts.len());
    for of_network in by_network.chunk_by(|a, b| a.0 == b.0) {
        let hosts = of_network.len() as u64;
        // Where in its first part the network begins: networks of one size do not march in step.
        let begin = of_network.first().map_or(0, |first| mix(first.1) >> 32);
        placed.extend(
            of_network
                .iter()
                .zip(0_u64..)
                .map(|(&(_, hash, ip), at)| (((at << 32) + begin) / hosts, hash, ip)),
        );
    }
    placed.sort_unstable();
    for (slot, (_, _, ip)) in hosts.iter_mut().zip(placed) {
        *slot = ip;
    }
}

/// The /24 or /64 that an address is in; never the same for both families.
fn network(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits() >> 8),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) | 1 << 64,
    }
}

fn hash(ip: IpAddr, seed: u64) -> u64 {
    let (high, low) = match ip {
        IpAddr::V4(v4) => (0, u64::from(v4.to_bits())),
        IpAddr::V6(v6) => {
            let bits = uuid::Uuid::from_u128(v6.to_bits()).as_u64_pair();
            (bits.0, bits.1)
        }
    };
    mix(seed ^ mix(low ^ mix(high)))
}

/// `SplitMix64` (Steele, Lea and Flood 2014): each bit of the result depends on each bit of what went in.
fn mix(value: u64) -> u64 {
    let mut value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
