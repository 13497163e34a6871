#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, SocketAddr};

use super::{Allowed, Refused, judge, permitted};
use reqwest::Url;

fn allow(texts: &[&str]) -> Vec<Allowed> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn judged(ip: &str, allowed: &[&str]) -> Result<(), Refused> {
    judge(ip.parse().unwrap(), &allow(allowed))
}

#[test]
fn public_addresses_need_nothing() {
    for ip in [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "2a00:1450::1",
        // They hold 1.1.1.1.
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
        "2002:101:101::1",
    ] {
        assert_eq!(judged(ip, &[]), Ok(()), "{ip}");
    }
}

#[test]
fn what_is_not_public_is_refused_and_says_what_to_do() {
    for (ip, kind) in [
        ("127.0.0.1", "is this machine itself"),
        ("127.255.255.254", "is this machine itself"),
        ("::1", "is this machine itself"),
        ("0.0.0.0", "is no address of a host"),
        ("0.1.2.3", "is no address of a host"),
        ("::", "is no address of a host"),
        ("10.0.0.5", "is a private address"),
        ("172.16.0.0", "is a private address"),
        ("172.31.255.255", "is a private address"),
        ("192.168.1.1", "is a private address"),
        ("fc00::1", "is a private address"),
        ("fdff::1", "is a private address"),
        ("fec0::1", "is a private address"),
        ("169.254.169.254", "is a link-local address"),
        ("fe80::1", "is a link-local address"),
        ("febf::1", "is a link-local address"),
        ("fd00:ec2::254", "is a private address"),
        ("100.64.0.1", "is an address of a carrier's inside"),
        ("100.100.100.200", "is an address of a carrier's inside"),
        ("168.63.129.16", "is a reserved address"),
        ("192.0.0.192", "is a reserved address"),
        ("224.0.0.1", "is a multicast address"),
        ("239.255.255.255", "is a multicast address"),
        ("ff02::1", "is a multicast address"),
        ("240.0.0.1", "is a reserved address"),
        ("255.255.255.255", "is a reserved address"),
        ("192.0.2.1", "is an address for documentation"),
        ("198.51.100.1", "is an address for documentation"),
        ("203.0.113.1", "is an address for documentation"),
        ("2001:db8::1", "is an address for documentation"),
        ("3fff::1", "is an address for documentation"),
        ("198.18.0.1", "is an address for benchmarks"),
        ("198.19.255.255", "is an address for benchmarks"),
        ("2001:2::1", "is an address for benchmarks"),
        ("64:ff9b:1::1.1.1.1", "is an address of a local translator"),
    ] {
        let told = judged(ip, &[]).unwrap_err().to_string();
        let expected = format!("{ip} {kind}: add it to notifier.allow if it is meant");
        let written: IpAddr = ip.parse().unwrap();
        let expected = expected.replacen(ip, &written.to_string(), 1);
        assert_eq!(told, expected);
    }
}

#[test]
fn an_address_within_another_is_judged_too() {
    for ip in [
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:10.0.0.5",
        "::127.0.0.1",
        "::10.0.0.5",
        "64:ff9b::7f00:1",
        "64:ff9b::169.254.169.254",
        // 6to4 of 192.168.0.1 and of 127.0.0.1.
        "2002:c0a8:1::1",
        "2002:7f00:1::",
        // Teredo by the server 10.0.0.5, and to the client 192.168.0.1.
        "2001:0:a00:5::fefe:fefe",
        "2001:0:101:101::3f57:fffe",
        // ISATAP of 10.0.0.5 in a public network.
        "2606:4700::5efe:10.0.0.5",
        "2606:4700::200:5efe:10.0.0.5",
        // Two in one, of which either is enough.
        "2002:c0a8:1::5efe:1.1.1.1",
        "2002:101:101::5efe:10.0.0.5",
    ] {
        assert!(judged(ip, &[]).is_err(), "{ip}");
        assert_eq!(judged(ip, &["::/0"]), Ok(()), "{ip}");
    }
    assert_eq!(judged("::ffff:10.0.0.5", &["10.0.0.0/8"]), Ok(()));
    assert_eq!(judged("64:ff9b::10.0.0.5", &["10.0.0.5"]), Ok(()));
    assert!(judged("::ffff:10.0.0.6", &["10.0.0.5"]).is_err());
}

#[test]
fn only_what_is_named_is_allowed() {
    assert_eq!(judged("10.0.0.5", &["192.168.0.0/16", "10.0.0.5"]), Ok(()));
    assert!(judged("10.0.0.6", &["10.0.0.5"]).is_err());
    assert!(judged("169.254.169.254", &["10.0.0.0/8"]).is_err());
    assert!(judged("::1", &["127.0.0.0/8"]).is_err());
    for text in ["", "10.0.0.0/33", "example.org", "10.0.0"] {
        assert!(text.parse::<Allowed>().is_err(), "{text}");
    }
}

#[test]
fn of_the_addresses_of_a_name_the_good_ones_are_left() {
    let at = |ips: &[&str]| -> Vec<SocketAddr> {
        ips.iter()
            .map(|ip| (ip.parse::<IpAddr>().unwrap(), 0).into())
            .collect()
    };
    let mixed = at(&["10.0.0.5", "1.1.1.1", "::1"]);
    assert_eq!(permitted(mixed, &[]), Ok(at(&["1.1.1.1"])));
    let inside = permitted(at(&["10.0.0.5", "::1"]), &[]).unwrap_err();
    assert!(inside.to_string().starts_with("10.0.0.5 "), "{inside}");
    assert_eq!(permitted(Vec::new(), &[]), Ok(Vec::new()));
}

#[test]
fn what_a_person_typed_is_meant() {
    let typed = |url: &str| Allowed::typed(&url.parse::<Url>().unwrap());
    assert_eq!(typed("http://127.0.0.1:9/hook"), allow(&["127.0.0.1"]));
    assert_eq!(typed("http://[::1]:9/"), allow(&["::1"]));
    assert_eq!(typed("http://0x0a.5/"), allow(&["10.0.0.5"]));
    assert_eq!(typed("http://localhost/"), allow(&["127.0.0.0/8", "::1"]));
    assert_eq!(
        typed("http://localhost.:80/"),
        allow(&["127.0.0.0/8", "::1"])
    );
    assert_eq!(typed("http://inside.example/"), []);
}
