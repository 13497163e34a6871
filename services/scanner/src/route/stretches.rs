//! Stretches of addresses inside of which every prefix holds either all or none, and what is remembered of each.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// All addresses of one family, cut at the ends of prefixes. What depends on nothing but which prefixes an address
/// is in is the same for a whole stretch.
#[derive(Debug, Clone)]
pub(super) struct Stretches<T> {
    /// By the first address of each stretch, with the generation it was remembered in. The first stretch starts at
    /// zero.
    starts: BTreeMap<u128, Option<(u64, T)>>,
    /// Counts how often everything was forgotten, which so costs nothing however many stretches there are.
    generation: u64,
}

impl<T: Copy> Stretches<T> {
    /// One stretch.
    pub(super) fn new() -> Self {
        Self {
            starts: BTreeMap::from([(0, None)]),
            generation: 0,
        }
    }

    /// Cuts at both ends of a prefix. What is remembered is as old as the cut: [`Self::forget`] it where the prefix
    /// is new to the kernel too.
    pub(super) fn cut(&mut self, prefix: Prefix) {
        self.starts.entry(prefix.first).or_insert(None);
        if let Some(next) = prefix.last.checked_add(1) {
            self.starts.entry(next).or_insert(None);
        }
    }

    /// What is remembered of the stretch that the address is in.
    pub(super) fn get(&self, address: u128) -> Option<T> {
        let (_, remembered) = self.starts.range(..=address).next_back()?;
        let (generation, value) = (*remembered)?;
        (generation == self.generation).then_some(value)
    }

    /// Remembers it of the whole stretch that the address is in.
    pub(super) fn remember(&mut self, address: u128, value: T) {
        if let Some((_, remembered)) = self.starts.range_mut(..=address).next_back() {
            *remembered = Some((self.generation, value));
        }
    }

    /// Forgets what was remembered; the cuts stay.
    pub(super) fn forget(&mut self) {
        self.generation += 1;
    }

    /// How many stretches.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }
}

/// The addresses of a prefix, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) first: u128,
    pub(super) last: u128,
}

impl Prefix {
    /// Of the network that the address is in. A length beyond the family's is that of one address.
    pub(super) fn new(address: IpAddr, length: u8) -> Self {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let host_bits = u32::from(width - length.min(width));
        let hosts = 1_u128
            .checked_shl(host_bits)
            .map_or(u128::MAX, |count| count - 1);
        let first = number(address) & !hosts;
        Self {
            first,
            last: first | hosts,
        }
    }
}

/// An address as a number, within its family.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefixes() -> impl Strategy<Value = Vec<Prefix>> {
        let v4 = (any::<u32>(), 0_u8..=33)
            .prop_map(|(address, length)| Prefix::new(IpAddr::V4(address.into()), length));
        let v6 = (any::<u128>(), 0_u8..=129)
            .prop_map(|(address, length)| Prefix::new(IpAddr::V6(address.into()), length));
        prop_oneof![
            proptest::collection::vec(v4, 0..40),
            proptest::collection::vec(v6, 0..40)
        ]
    }

    proptest! {
        /// What was remembered of one address is given for another only if both are in the same prefixes.
        #[test]
        fn a_stretch_is_inside_or_outside_of_a_prefix_as_a_whole(
            prefixes in prefixes(),
            near in proptest::collection::vec((any::<prop::sample::Index>(), -2_i8..=2), 1..20),
            others in proptest::collection::vec(any::<u128>(), 1..20),
        ) {
            let mut stretches = Stretches::new();
            for prefix in &prefixes {
                stretches.cut(*prefix);
            }
            prop_assert!(stretches.len() <= 2 * prefixes.len() + 1);
            let ends = near.iter().filter(|_| !prefixes.is_empty()).flat_map(|(index, by)| {
                let prefix = index.get(&prefixes);
                [prefix.first, prefix.last].map(|end| end.wrapping_add_signed(i128::from(*by)))
            });
            let addresses: Vec<u128> = ends.chain(others).collect();
            let inside = |address: u128| {
                let holds = |prefix: &Prefix| (prefix.first..=prefix.last).contains(&address);
                prefixes.iter().map(holds).collect::<Vec<_>>()
            };
            for asked in &addresses {
                stretches.forget();
                stretches.remember(*asked, 7_u8);
                prop_assert_eq!(stretches.get(*asked), Some(7));
                for other in &addresses {
                    if stretches.get(*other).is_some() {
                        prop_assert_eq!(inside(*asked), inside(*other));
                    }
                }
            }
        }
    }

    #[test]
    fn a_network_is_one_stretch() {
        let mut stretches = Stretches::new();
        let at = |third, fourth| number(IpAddr::from([198, 18, third, fourth]));
        stretches.cut(Prefix::new([198, 18, 1, 77].into(), 24));
        stretches.remember(at(1, 0), 1);
        assert_eq!(stretches.get(at(1, 255)), Some(1));
        assert_eq!(stretches.get(at(2, 0)), None);
        assert_eq!(stretches.get(at(0, 255)), None);
        assert_eq!(stretches.len(), 3);
    }
}
