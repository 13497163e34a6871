//! Addresses: what is taken, what is refused, and that no spelling walks around an exclusion.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::super::{Address, AddressError, IpRange};

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from_bits)
}

fn ip() -> impl Strategy<Value = IpAddr> {
    let v6 = any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical());
    prop_oneof![v4().prop_map(IpAddr::V4), v6]
}

fn range() -> impl Strategy<Value = IpRange> {
    let order = |(a, b): (IpAddr, IpAddr)| IpRange::new(a.min(b), a.max(b));
    (ip(), ip()).prop_filter_map("of one family", order)
}

fn net() -> impl Strategy<Value = IpNet> {
    let v4 = (v4(), 0_u8..=32)
        .prop_map(|(ip, prefix)| IpNet::V4(Ipv4Net::new(ip, prefix).unwrap()).trunc());
    let v6 = (any::<u128>(), 0_u8..=128).prop_map(|(bits, prefix)| {
        IpNet::V6(Ipv6Net::new(Ipv6Addr::from_bits(bits), prefix).unwrap()).trunc()
    });
    prop_oneof![v4, v6]
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?){0,3}"
        .prop_filter("not a number at the end, not an address", |name| {
            let last = name.rsplit('.').next().unwrap();
            !last.bytes().all(|byte| byte.is_ascii_digit())
        })
}

proptest! {
    #[test]
    fn every_kind_of_address_returns(
        address in prop_oneof![
            ip().prop_map(Address::Ip),
            net().prop_map(Address::Cidr),
            // A range of one address prints, and means, that address.
            range().prop_filter("more than one", |range| range.len() > 1).prop_map(Address::Range),
            name().prop_map(Address::Name),
        ],
    ) {
        prop_assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn ranges_return(range in range()) {
        prop_assert_eq!(range.to_string().parse(), Ok(range));
    }

    #[test]
    fn a_block_is_the_range_of_its_addresses(net in net(), ip in ip()) {
        let range = Address::Cidr(net).range().unwrap();
        prop_assert_eq!(range.contains(ip), net.contains(&ip));
        prop_assert!(range.contains(net.network()) && range.contains(net.broadcast()));
    }

    #[test]
    fn a_range_lists_each_address_once(first in ip(), more in 0_u16..300) {
        let last = match first {
            IpAddr::V4(v4) => {
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits().saturating_add(more.into())))
            }
            IpAddr::V6(v6) => {
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits().saturating_add(more.into())))
            }
        };
        let range = IpRange::new(first, last).unwrap();
        let all: Vec<IpAddr> = range.iter().collect();
        prop_assert_eq!(all.len() as u128, range.len());
        prop_assert_eq!((all[0], all[all.len() - 1]), (first, last));
        prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(all.iter().all(|&ip| range.contains(ip)));
    }

    #[test]
    fn no_spelling_walks_around_an_exclusion(ip in v4(), prefix in 96_u8..=128) {
        let mapped = ip.to_ipv6_mapped();
        for text in [
            ip.to_string(),
            mapped.to_string(),
            format!("{ip}-{ip}"),
            format!("{mapped}-{mapped}"),
            format!("{ip}/{}", prefix - 96),
            format!("{mapped}/{prefix}"),
        ] {
            let range: IpRange = text.parse().unwrap();
            prop_assert!(range.contains(ip.into()), "{text}");
            prop_assert!(range.contains(mapped.into()), "{text}");
            prop_assert!(range.first().is_ipv4() && range.iter().next().unwrap().is_ipv4());
        }
    }

    #[test]
    fn no_text_panics(text in "[-./:0-9a-f%]{0,40}|.*") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>().map(|a| a.range()), Ok(address.range()));
        }
    }
}

#[test]
fn what_is_taken() {
    for (written, printed) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("192.0.2.7/32", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::7/64", "2001:db8::/64"),
        ("192.0.2.1-192.0.2.9", "192.0.2.1-192.0.2.9"),
        ("192.0.2.1 - 192.0.2.9", "192.0.2.1-192.0.2.9"),
        ("192.0.2.1-192.0.2.1", "192.0.2.1"),
        ("::1-::ff", "::1-::ff"),
        ("::ffff:192.0.2.1-::ffff:192.0.2.9", "192.0.2.1-192.0.2.9"),
        ("WWW.Example.org.", "www.example.org"),
        ("localhost", "localhost"),
        ("1-2.example.org", "1-2.example.org"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("xn--nxasmq6b.example", "xn--nxasmq6b.example"),
    ] {
        let address: Address = written.parse().unwrap();
        assert_eq!(address.to_string(), printed, "{written:?}");
    }
}

#[test]
fn what_is_refused_and_why() {
    let none = |text: &str| {
        format!(
            "{text:?} is not a target: write an address (192.0.2.1), a CIDR block (192.0.2.0/24), a \
             range (192.0.2.1-192.0.2.9) or a host name"
        )
    };
    let prefix = |text: &str| {
        format!("{text:?} has no valid prefix length: IPv4 has /0 to /32, IPv6 /0 to /128")
    };
    let range = |text: &str| {
        format!("{text:?} is not a range: both ends must be of one family, the lower first")
    };
    let scoped = |text: &str| {
        format!(
            "{text:?} names an interface: link-local addresses with a zone index cannot be watched"
        )
    };
    let long_label = "x".repeat(64);
    let long_name = vec!["x".repeat(63); 4].join(".");
    for (written, error) in [
        ("", none("")),
        (" ", none(" ")),
        (".", none(".")),
        ("a..b", none("a..b")),
        ("-a", none("-a")),
        ("a-", none("a-")),
        ("a b", none("a b")),
        ("192.0.2.300", none("192.0.2.300")),
        ("192.0.2", none("192.0.2")),
        ("3232235777", none("3232235777")),
        ("http://example.org", none("http://example.org")),
        ("example.org:80", none("example.org:80")),
        ("example.org/24", none("example.org/24")),
        ("$(reboot)", none("$(reboot)")),
        ("a;b", none("a;b")),
        ("a`b", none("a`b")),
        ("a\nb", none("a\nb")),
        ("bücher.example", none("bücher.example")),
        (&long_label, none(&long_label)),
        (&long_name, none(&long_name)),
        ("192.0.2.0/33", prefix("192.0.2.0/33")),
        ("192.0.2.0/", prefix("192.0.2.0/")),
        ("192.0.2.0/255.255.255.0", prefix("192.0.2.0/255.255.255.0")),
        ("2001:db8::/129", prefix("2001:db8::/129")),
        ("192.0.2.9-192.0.2.1", range("192.0.2.9-192.0.2.1")),
        ("192.0.2.1-::1", range("192.0.2.1-::1")),
        ("192.0.2.1-9", range("192.0.2.1-9")),
        ("192.0.2.1-", range("192.0.2.1-")),
        ("fe80::1%eth0", scoped("fe80::1%eth0")),
        ("fe80::1%2", scoped("fe80::1%2")),
    ] {
        let refused = written.parse::<Address>().unwrap_err();
        assert_eq!(refused.to_string(), error, "{written:?}");
    }
}

#[test]
fn a_range_does_not_depend_on_dns() {
    let error = "example.org".parse::<IpRange>().unwrap_err();
    assert_eq!(error, AddressError::NotAnAddress("example.org".to_owned()));
}
