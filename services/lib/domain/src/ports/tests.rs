//! Port sets against a plain set of ports, and the texts that people write.

#![expect(clippy::unwrap_used, reason = "tests")]

mod services;
mod text;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Port, PortSet, Protocol};

/// Ports close together and at both ends, where ranges touch, merge and overflow.
pub(super) fn port() -> impl Strategy<Value = Port> {
    let number = prop_oneof![1_u16..=30, 65_510_u16..=65_535, 1_u16..];
    (any::<bool>(), number).prop_map(|(is_udp, number)| Port {
        protocol: if is_udp { Protocol::Udp } else { Protocol::Tcp },
        number,
    })
}

fn model() -> impl Strategy<Value = BTreeSet<Port>> {
    proptest::collection::btree_set(port(), 0..40)
}

fn set(model: &BTreeSet<Port>) -> PortSet {
    model.iter().copied().collect()
}

fn same(set: &PortSet, model: &BTreeSet<Port>) -> Result<(), TestCaseError> {
    let members: Vec<Port> = set.iter().collect();
    let expected: Vec<Port> = model.iter().copied().collect();
    prop_assert_eq!(members, expected);
    prop_assert_eq!(set.len(), model.len());
    prop_assert_eq!(set.is_empty(), model.is_empty());
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let ranges = set.ranges(protocol);
        prop_assert!(ranges.iter().all(|&(low, high)| 1 <= low && low <= high));
        let apart = |pair: &[(u16, u16)]| u32::from(pair[0].1) + 1 < u32::from(pair[1].0);
        prop_assert!(ranges.windows(2).all(apart), "{ranges:?} are not canonical");
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_set_holds_what_was_put_in(model in model()) {
        same(&set(&model), &model)?;
    }

    #[test]
    fn the_order_of_insertion_does_not_matter(ports in proptest::collection::vec(port(), 0..40)) {
        let forwards: PortSet = ports.iter().copied().collect();
        let backwards: PortSet = ports.iter().rev().copied().collect();
        prop_assert_eq!(&forwards, &backwards);
        prop_assert_eq!(forwards.to_string(), backwards.to_string());
    }

    #[test]
    fn membership(model in model(), port in port()) {
        prop_assert_eq!(set(&model).contains(port), model.contains(&port));
    }

    #[test]
    fn union_intersection_difference(a in model(), b in model()) {
        let (left, right) = (set(&a), set(&b));
        same(&left.union(&right), &(&a | &b))?;
        same(&left.intersection(&right), &(&a & &b))?;
        same(&left.difference(&right), &(&a - &b))?;
        prop_assert_eq!(left.is_subset(&right), a.is_subset(&b));
        prop_assert!(left.intersection(&right).is_subset(&left));
    }

    #[test]
    fn what_is_left_of_everything(model in model()) {
        let rest = PortSet::all_tcp().difference(&set(&model));
        let tcp = model.iter().filter(|port| port.protocol == Protocol::Tcp);
        prop_assert_eq!(rest.len(), 65_535 - tcp.count());
        prop_assert!(rest.intersection(&set(&model)).is_empty());
    }
}

#[test]
fn port_0_is_never_a_member() {
    let mut set = PortSet::empty();
    set.insert(Port::tcp(0));
    set.insert(Port::udp(0));
    assert_eq!(set, PortSet::empty());
    assert!(!PortSet::all_tcp().contains(Port::tcp(0)));
}

#[test]
fn everything_is_one_range() {
    let every: PortSet = (1..=u16::MAX).map(Port::tcp).collect();
    assert_eq!(every, PortSet::all_tcp());
    assert_eq!(every.len(), 65_535);
    assert_eq!(every.ranges(Protocol::Tcp), [(1, u16::MAX)]);
    assert!(every.difference(&every).is_empty());
    assert_eq!(every.union(&every), every);
}

#[test]
fn protocols_do_not_mix() {
    let tcp: PortSet = [Port::tcp(53)].into_iter().collect();
    let udp: PortSet = [Port::udp(53)].into_iter().collect();
    assert_ne!(tcp, udp);
    assert!(tcp.intersection(&udp).is_empty());
    assert_eq!(tcp.union(&udp).len(), 2);
}

#[test]
fn sets_that_have_a_name_are_said_in_short() {
    let parsed = |text: &str| -> PortSet { text.parse().unwrap() };
    for (text, short) in [
        ("top1000", "top1000"),
        ("top100", "top100"),
        ("all", "all"),
        ("*", "all"),
        ("22,80", "22,80"),
        ("top100,udp:53", &*parsed("top100,udp:53").to_string()),
    ] {
        assert_eq!(parsed(text).in_short(), short, "{text}");
        assert_eq!(parsed(&parsed(text).in_short()), parsed(text), "{text}");
    }
    // Spelled out it is the same set, and has the same name.
    assert_eq!(parsed(&parsed("top1000").to_string()).in_short(), "top1000");
}
