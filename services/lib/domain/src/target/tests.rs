//! Addresses, zones and targets as people write them.

#![expect(clippy::unwrap_used, reason = "tests")]

mod address;
mod names;
mod schedule;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn target() -> Target {
    Target {
        id: TargetId::derive("tests", "web"),
        name: "web".to_owned(),
        group: "default".to_owned(),
        zone: Zone::default(),
        addresses: vec!["192.0.2.0/30".parse().unwrap()],
        exclude: Vec::new(),
        ports: "22,80".parse().unwrap(),
        expected: None,
        tags: Vec::new(),
        allowed: PortSet::empty(),
        confirm: Confirm::default(),
        schedule: Schedule::every(SignedDuration::from_mins(5)),
        discovery: false,
        follow_names: false,
        rate: 1000,
        switches: Switches::default(),
    }
}

fn refused(target: &Target) -> String {
    target.check().unwrap_err().to_string()
}

#[test]
fn a_target_that_cannot_be_watched_says_why() {
    assert_eq!(target().check(), Ok(()));
    let with = |change: &dyn Fn(&mut Target)| {
        let mut target = target();
        change(&mut target);
        refused(&target)
    };
    assert_eq!(
        with(&|target| target.addresses.clear()),
        "the target \"web\" has no addresses"
    );
    assert_eq!(
        with(&|target| target.ports = PortSet::empty()),
        "the target \"web\" has no ports"
    );
    assert_eq!(
        with(&|target| target.schedule = Schedule::every(SignedDuration::from_millis(999))),
        "the target \"web\": an interval under 1 s"
    );
    assert_eq!(
        with(&|target| target.confirm.close = 0),
        "the target \"web\" wants a state confirmed by 0 scans: 1 is the least"
    );
    assert_eq!(
        with(&|target| target.rate = 0),
        "the target \"web\" has a rate of 0 probes per second"
    );
}

#[test]
fn a_target_holds_a_million_addresses_and_no_more() {
    for (addresses, hosts) in [
        (vec!["10.0.0.0/12"], None),
        (vec!["10.0.0.0/12", "192.0.2.1"], Some("1048577")),
        (vec!["10.0.0.0/11"], Some("2097152")),
        (vec!["2001:db8::/64"], Some("18446744073709551616")),
        (
            vec!["::/0", "::/0"],
            Some("340282366920938463463374607431768211455"),
        ),
    ] {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        let big = Target {
            addresses: addresses.collect(),
            ..target()
        };
        let expected = hosts.map(|hosts| {
            format!("the target \"web\" has {hosts} addresses, and 1048576 is the most: split it")
        });
        assert_eq!(big.check().err().map(|error| error.to_string()), expected);
    }
}

#[test]
fn a_target_may_not_be_excluded_altogether() {
    for exclude in [
        "192.0.2.0/24",
        "192.0.2.0-192.0.2.3",
        "::ffff:192.0.2.0/120",
    ] {
        let excluded = Target {
            exclude: vec![exclude.parse().unwrap()],
            ..target()
        };
        assert_eq!(
            refused(&excluded),
            "the target \"web\" has no address left after its exclusions"
        );
    }
    let one_left = Target {
        exclude: vec!["192.0.2.1-192.0.2.3".parse().unwrap()],
        ..target()
    };
    assert_eq!(one_left.check(), Ok(()));
}

#[test]
fn a_name_may_turn_out_to_be_anywhere() {
    let mut named = target();
    named.addresses = vec![
        "www.example.org".parse().unwrap(),
        "192.0.2.7".parse().unwrap(),
    ];
    named.exclude = vec!["0.0.0.0/0".parse().unwrap()];
    assert_eq!(named.check(), Ok(()));
    assert_eq!(named.names().collect::<Vec<_>>(), ["www.example.org"]);
    assert_eq!(
        named.literal_hosts().collect::<Vec<_>>(),
        ["192.0.2.7".parse::<IpAddr>().unwrap()]
    );
}

/// Where IPv6 runs into the part of it that stands for IPv4.
#[test]
fn hosts_are_never_ipv4_written_as_ipv6() {
    let mut odd = target();
    odd.addresses = vec!["::fffe:ffff:ffff-::ffff:0:2".parse().unwrap()];
    let hosts: Vec<String> = odd.literal_hosts().map(|ip| ip.to_string()).collect();
    assert_eq!(hosts, ["::fffe:ffff:ffff", "0.0.0.0", "0.0.0.1", "0.0.0.2"]);
}

#[test]
fn ids_are_the_same_at_every_start() {
    let id = TargetId::derive("settings", "web");
    assert_eq!(id.to_string(), "f60a64f1-12df-5f30-93e4-041a539640e6");
    assert_ne!(id, TargetId::derive("settings", "dmz"));
    assert_ne!(id, TargetId::derive("command line", "web"));
}

proptest! {
    #[test]
    fn zones_return(text in "[a-z0-9-]{1,32}") {
        let zone: Zone = text.parse().unwrap();
        prop_assert_eq!(zone.to_string(), text.as_str());
        prop_assert_eq!(zone.as_str(), text);
    }
}

#[test]
fn zones_are_parts_of_queue_names() {
    assert_eq!(Zone::default().as_str(), "default");
    let long = "x".repeat(33);
    for text in [
        "",
        "DMZ",
        "a.b",
        "a b",
        "a_b",
        "zöne",
        "#",
        "*",
        long.as_str(),
    ] {
        let error = text.parse::<Zone>().unwrap_err();
        let expected = format!("{text:?} is not a zone: use 1 to 32 of a-z, 0-9 and -");
        assert_eq!(error.to_string(), expected);
    }
}
