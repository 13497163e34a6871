//! In which order a scan visits its (address, port) pairs.
//!
//! A seeded permutation: neighbours in time are far apart in the address × port space, so that no host and no
//! network is hammered, every pair is visited exactly once, and a position is all there is to remember.
//! It is a balanced Feistel network over the next power of four, walked until it falls into the range
//! (Black and Rogaway, *Ciphers with arbitrary finite domains*, 2002).

const ROUNDS: usize = 4;

/// A permutation of `0..len`.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    len: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Order {
    /// The permutation of `0..len` that belongs to `seed`.
    pub(crate) fn new(len: u64, seed: u64) -> Self {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        let mut state = seed;
        Self {
            len,
            half_bits: bits.div_ceil(2).max(1),
            keys: std::array::from_fn(|_| {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                mix(state)
            }),
        }
    }

    /// What stands at `position`, which must be below the length.
    pub(crate) fn at(&self, position: u64) -> u64 {
        let mut value = position;
        loop {
            value = self.permute(value);
            if value < self.len {
                return value;
            }
        }
    }

    fn permute(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, 2014).
fn mix(value: u64) -> u64 {
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
        fn every_number_comes_exactly_once(len in 1_u64..5000, seed: u64) {
            let order = Order::new(len, seed);
            let mut seen: Vec<u64> = (0..len).map(|position| order.at(position)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn neighbours_in_time_are_seldom_neighbours_in_space() {
        let order = Order::new(65_536, 7);
        let close = (1..65_536)
            .filter(|&position| order.at(position).abs_diff(order.at(position - 1)) < 256);
        assert!(close.count() < 65_536 / 50);
    }

    #[test]
    fn another_seed_is_another_order() {
        let orders = [1, 2].map(|seed| Order::new(1000, seed));
        let same = (0..1000).filter(|&position| orders[0].at(position) == orders[1].at(position));
        assert!(same.count() < 20);
    }
}
