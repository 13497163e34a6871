//! Where no packet may go.

use std::net::IpAddr;

use portwatch_domain::target::IpRange;

/// The addresses that are excluded by a job or by this worker's settings. Asked for each packet just before it
/// leaves, so that no mistake anywhere before that can hurt anybody.
#[derive(Clone, Debug, Default)]
pub struct Exclusions {
    /// Sorted by their first address, disjoint within a family.
    ranges: Vec<(IpAddr, IpAddr)>,
}

impl Exclusions {
    /// Excludes all of these ranges.
    pub fn new<'a>(ranges: impl IntoIterator<Item = &'a IpRange>) -> Self {
        let mut sorted: Vec<(IpAddr, IpAddr)> = ranges
            .into_iter()
            .map(|range| (range.first(), range.last()))
            .collect();
        sorted.sort_unstable();
        let mut merged: Vec<(IpAddr, IpAddr)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                // IPv4 sorts before IPv6, so a range never reaches into the other family.
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// Whether a packet may go to this address.
    ///
    /// An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is looked up as what it is.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let after = self.ranges.partition_point(|&(first, _)| first <= address);
        after == 0 || self.ranges[after - 1].1 < address
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn range() -> impl Strategy<Value = IpRange> {
        let v4 = (any::<u16>(), any::<u8>()).prop_map(|(start, length)| {
            let start = 0xc612_0000 + u32::from(start);
            let ends =
                [start, start + u32::from(length)].map(|bits| Ipv4Addr::from_bits(bits).into());
            IpRange::new(ends[0], ends[1]).unwrap()
        });
        let v6 = (any::<u16>(), any::<u8>()).prop_map(|(start, length)| {
            let start = (0xfd00_0198_0018 << 80) + u128::from(start);
            let ends =
                [start, start + u128::from(length)].map(|bits| Ipv6Addr::from_bits(bits).into());
            IpRange::new(ends[0], ends[1]).unwrap()
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn it_permits_what_no_range_contains(
            ranges in prop::collection::vec(range(), 0..12), v4: u16, v6: u16, any in any::<IpAddr>(),
        ) {
            let exclusions = Exclusions::new(&ranges);
            let near4 = Ipv4Addr::from_bits(0xc612_0000 + u32::from(v4));
            let near6 = Ipv6Addr::from_bits((0xfd00_0198_0018 << 80) + u128::from(v6));
            let mapped = near4.to_ipv6_mapped();
            for address in [near4.into(), near6.into(), mapped.into(), any] {
                let contained = ranges.iter().any(|range| range.contains(address));
                prop_assert_eq!(exclusions.permit(address), !contained);
            }
        }
    }
}
