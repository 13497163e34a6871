#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

mod sends;

fn range() -> impl Strategy<Value = IpRange> {
    let v4 = (any::<u16>(), any::<u8>()).prop_map(|(start, length)| {
        let start = 0xc612_0000 + u32::from(start);
        let ends = [start, start + u32::from(length)].map(|bits| Ipv4Addr::from_bits(bits).into());
        IpRange::new(ends[0], ends[1]).unwrap()
    });
    let v6 = (any::<u16>(), any::<u8>()).prop_map(|(start, length)| {
        let start = (0xfd00_0198_0018 << 80) + u128::from(start);
        let ends = [start, start + u128::from(length)].map(|bits| Ipv6Addr::from_bits(bits).into());
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
