//! The list of services, and the most common ports taken from it.

use std::collections::BTreeSet;

use super::super::{Port, PortSet, Protocol, service_name};

fn set(text: &str) -> PortSet {
    text.parse().unwrap()
}

#[test]
fn the_most_common_ports_are_as_many_as_asked_for() {
    for (text, count, protocol) in [
        ("top100", 100, Protocol::Tcp),
        ("top1000", 1000, Protocol::Tcp),
        ("udp:top100", 100, Protocol::Udp),
        ("udp:top1000", 1000, Protocol::Udp),
    ] {
        let ports = set(text);
        assert_eq!(ports.len(), count, "{text}");
        assert!(ports.iter().all(|port| port.protocol == protocol), "{text}");
    }
    assert!(set("top100").is_subset(&set("top1000")));
    assert!(set("udp:top100").is_subset(&set("udp:top1000")));
}

#[test]
fn the_most_common_ports_have_those_that_everybody_expects() {
    let top100 = set("top100");
    for number in [
        21, 22, 23, 25, 53, 80, 110, 139, 143, 443, 445, 3306, 3389, 5432, 8080,
    ] {
        assert!(top100.contains(Port::tcp(number)), "{number}");
    }
    assert!(set("top1000").contains(Port::tcp(18_080)));
    let udp = set("udp:top100");
    for number in [53, 67, 123, 161, 500, 514, 1900, 5353] {
        assert!(udp.contains(Port::udp(number)), "udp:{number}");
    }
}

#[test]
fn services_have_names() {
    for (port, name) in [
        (Port::tcp(22), Some("ssh")),
        (Port::tcp(443), Some("https")),
        (Port::udp(53), Some("domain")),
        (Port::tcp(5432), Some("postgresql")),
        (Port::tcp(5672), Some("amqp")),
        (Port::tcp(18_080), Some("http-alt")),
        (Port::tcp(65_535), None),
        (Port::tcp(0), None),
    ] {
        assert_eq!(service_name(port), name, "{port}");
    }
}

/// A line that cannot be read is left out without a word, so the list is checked here.
#[test]
fn every_line_of_the_list_is_read() {
    let mut seen = BTreeSet::new();
    let mut ranks: [BTreeSet<u32>; 2] = Default::default();
    let text = include_str!("../services.tsv");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (number, protocol, name, rank) = match fields[..] {
            [number, protocol, name] => (number, protocol, name, ""),
            [number, protocol, name, rank] => (number, protocol, name, rank),
            _ => panic!("not three or four fields: {line:?}"),
        };
        let port = Port {
            number: number.parse().unwrap(),
            protocol: protocol.parse().unwrap(),
        };
        assert!(port.number > 0, "{line:?}");
        assert!(seen.insert(port), "twice: {line:?}");
        assert!(
            !name.is_empty() || !rank.is_empty(),
            "says nothing: {line:?}"
        );
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{line:?}");
        assert_eq!(
            service_name(port),
            Some(name).filter(|name| !name.is_empty()),
            "{line:?}"
        );
        if !rank.is_empty() {
            let rank: u32 = rank.parse().unwrap();
            let of_protocol = &mut ranks[usize::from(port.protocol == Protocol::Udp)];
            assert!(of_protocol.insert(rank), "rank twice: {line:?}");
        }
    }
    for ranks in ranks {
        let count = u32::try_from(ranks.len()).unwrap();
        assert!(ranks.into_iter().eq(1..=count), "ranks have gaps");
    }
}
