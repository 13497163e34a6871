//! What is scanned, and what is open there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::rig::Place;

/// How many ports, or addresses, are open.
pub const OPEN: usize = 50;

/// One host: the lab's wire plays those below 198.18.112.0 itself, and hands this one to the kernel behind it.
const ONE_HOST: &str = "198.18.200.1";
const ONE_HOST_NUMBER: u32 = 200 * 256 + 1;

/// Targets and ports, as all the scanners take them.
#[derive(Clone, Debug)]
pub struct Work {
    /// As people call it.
    pub name: &'static str,
    /// An address or a block.
    pub targets: &'static str,
    /// A port or a range.
    pub ports: &'static str,
    /// Where something listens.
    pub open: BTreeSet<Place>,
}

impl Work {
    /// One host, 65,535 ports.
    pub fn ports() -> Self {
        Self::of("ports", ONE_HOST, "1-65535", |random| {
            (ONE_HOST_NUMBER, port(random, 65_535))
        })
    }

    /// 65,536 addresses, one port.
    pub fn addresses() -> Self {
        Self::of("addresses", "198.18.0.0/16", "8080", |random| {
            (random.below(65_536), 8080)
        })
    }

    /// 256 addresses, 1,000 ports.
    pub fn mixed() -> Self {
        Self::of("mixed", "198.18.7.0/24", "1-1000", |random| {
            (7 * 256 + random.below(256), port(random, 1000))
        })
    }

    /// 65,536 addresses, 1,000 ports: more than anybody finishes here.
    pub fn huge() -> Self {
        let mut huge = Self::of("huge", "198.18.0.0/16", "1-1000", |_| (0, 1));
        huge.open.clear();
        huge
    }

    /// One host, 2,000 ports.
    pub fn small() -> Self {
        Self::of("small", ONE_HOST, "1-2000", |random| {
            (ONE_HOST_NUMBER, port(random, 2000))
        })
    }

    fn of(
        name: &'static str,
        targets: &'static str,
        ports: &'static str,
        place: impl Fn(&mut Random) -> (u32, u16),
    ) -> Self {
        let mut random = Random(7);
        let mut open = BTreeSet::new();
        // Bounded: some places may come twice, and a work may have only one.
        for _ in 0..10 * OPEN {
            if open.len() < OPEN {
                let (host, port) = place(&mut random);
                let base = u32::from(Ipv4Addr::new(198, 18, 0, 0));
                open.insert((Ipv4Addr::from(base + host), port));
            }
        }
        Self {
            name,
            targets,
            ports,
            open,
        }
    }

    /// The share of what is open that was found, in percent, and how much was found that is not.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub fn judge(&self, found: &BTreeSet<Place>) -> (f64, usize) {
        let right = found.intersection(&self.open).count();
        let recall = 100.0 * right as f64 / self.open.len().max(1) as f64;
        (recall, found.len() - right)
    }
}

fn port(random: &mut Random, last: u32) -> u16 {
    u16::try_from(1 + random.below(last)).unwrap_or(1)
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let high = (mixed ^ (mixed >> 31)) >> 32;
        u32::try_from((high * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_are_open_and_always_the_same() {
        for work in [Work::ports, Work::addresses, Work::mixed, Work::small] {
            assert_eq!(work().open.len(), OPEN);
            assert_eq!(work().open, work().open);
            assert!(
                work()
                    .open
                    .iter()
                    .all(|(ip, port)| ip.octets()[..2] == [198, 18] && *port > 0)
            );
        }
    }

    #[test]
    fn what_is_missing_and_what_is_false_is_told() {
        let work = Work::ports();
        let mut found = work.open.clone();
        found.pop_first();
        found.insert((Ipv4Addr::new(198, 18, 9, 9), 9));
        assert_eq!(work.judge(&found), (98.0, 1));
    }
}
