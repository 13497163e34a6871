//! What the kernel decides, of all kinds.

use super::lab::{can_ip, inside};
use super::*;
use crate::skipped::skip;

#[test]
fn own_addresses_loopback_and_broadcast_are_the_kernels() {
    inside(
        "decisions::own_addresses_loopback_and_broadcast_are_the_kernels",
        || {
            ip("route add local 198.18.9.0/24 dev lo");
            let mut routes = Routes::open().unwrap();
            for own in [
                "127.0.0.1",
                "127.3.2.1",
                "::1",
                "198.18.0.1",
                "fd00:198:18::1",
            ] {
                let source = if own == "127.3.2.1" { "127.0.0.1" } else { own };
                let path = towards(&mut routes, own);
                assert_eq!(path.via, Via::Kernel, "{own}");
                assert!(
                    [address(source), address(own)].contains(&path.source),
                    "{own}: {path:?}"
                );
            }
            assert_eq!(towards(&mut routes, "198.18.9.7").via, Via::Kernel);
            assert_eq!(towards(&mut routes, "198.18.0.255").via, Via::Kernel);
        },
    );
}

#[test]
fn what_the_kernel_refuses_has_no_path() {
    inside("decisions::what_the_kernel_refuses_has_no_path", || {
        for (v4, v6) in [
            ("198.18.1.0/24", "fd00:198:18:1::/64"),
            ("198.18.0.128/25", "fd00:198:18:0:8000::/65"),
        ] {
            for (kind, errno) in [
                ("blackhole", libc::EINVAL),
                ("unreachable", libc::EHOSTUNREACH),
                ("prohibit", libc::EACCES),
            ] {
                ip(&format!("route replace {kind} {v4}"));
                can_ip(&format!("-6 route del {v6}"));
                ip(&format!("-6 route add {kind} {v6}"));
                let mut routes = Routes::open().unwrap();
                for prefix in [v4, v6] {
                    let network: IpAddr = address(prefix.split('/').next().unwrap());
                    let host = match network {
                        IpAddr::V4(network) => IpAddr::V4((u32::from(network) + 9).into()),
                        IpAddr::V6(network) => IpAddr::V6((u128::from(network) + 9).into()),
                    };
                    let host = host.to_string();
                    assert_eq!(refused(&mut routes, &host), errno, "{kind} {host}");
                    // Remembered too.
                    assert_eq!(refused(&mut routes, &host), errno, "{kind} {host}");
                }
            }
        }
        let mut routes = Routes::open().unwrap();
        assert_eq!(refused(&mut routes, "198.18.77.1"), libc::ENETUNREACH);
        assert_eq!(refused(&mut routes, "fd00:198:18:77::1"), libc::ENETUNREACH);
        let link_local = routes.towards(address("fe80::2")).unwrap_err();
        assert!(matches!(link_local, RouteError::LinkLocal { .. }));
    });
}

#[test]
fn rules_and_other_tables_are_followed() {
    inside("decisions::rules_and_other_tables_are_followed", || {
        for last in 2..=6 {
            let line = format!("neigh replace 198.18.0.{last} lladdr 02:00:00:00:00:0{last}");
            ip(&format!("{line} dev wire nud permanent"));
        }
        ip("route add default via 198.18.0.2");
        ip("route add 198.18.2.0/24 via 198.18.0.4 table 100");
        ip("rule add to 198.18.2.0/25 lookup 100");
        ip("rule add to 198.18.4.0/25 prohibit");
        // By the source: it is the route's, and then decides.
        ip("address add 198.18.0.9/24 dev wire");
        ip("route add 198.18.3.0/24 via 198.18.0.2 src 198.18.0.9");
        ip("route add default via 198.18.0.5 table 200");
        let mut routes = Routes::open().unwrap();
        let host = |last| ethernet("198.18.0.1", [2, 0, 0, 0, 0, last]);
        assert_eq!(towards(&mut routes, "198.18.2.10"), host(4));
        assert_eq!(towards(&mut routes, "198.18.2.200"), host(2));
        assert_eq!(refused(&mut routes, "198.18.4.10"), libc::EACCES);
        assert_eq!(towards(&mut routes, "198.18.4.200"), host(2));
        assert_eq!(
            towards(&mut routes, "198.18.3.1"),
            ethernet("198.18.0.9", [2, 0, 0, 0, 0, 2])
        );
        ip("rule add from 198.18.0.9 lookup 200");
        assert!(routes.changed().unwrap());
        assert_eq!(
            towards(&mut routes, "198.18.3.1"),
            ethernet("198.18.0.9", [2, 0, 0, 0, 0, 5])
        );
        assert_eq!(towards(&mut routes, "198.18.4.200"), host(2));
        ip("-6 neigh add fd00:198:18::5 lladdr 02:00:00:00:00:05 dev wire nud permanent");
        ip("-6 route add fd00:198:18:3::/64 via fd00:198:18::2");
        ip("-6 route add default via fd00:198:18::5 table 200");
        ip("-6 rule add from fd00:198:18::1 lookup 200");
        assert!(routes.changed().unwrap());
        assert_eq!(
            towards(&mut routes, "fd00:198:18:3::1"),
            ethernet("fd00:198:18::1", [2, 0, 0, 0, 0, 5])
        );
        // Several gateways: any of them is right, for the whole stretch.
        ip("route add 198.18.6.0/24 nexthop via 198.18.0.3 nexthop via 198.18.0.6");
        assert!(routes.changed().unwrap());
        let first = towards(&mut routes, "198.18.6.1");
        assert!([host(3), host(6)].contains(&first), "{first:?}");
        assert_eq!(towards(&mut routes, "198.18.6.2"), first);
    });
}

#[test]
fn gateways_of_ipv6_and_of_the_other_family() {
    inside(
        "decisions::gateways_of_ipv6_and_of_the_other_family",
        || {
            ip("-6 route add fd00:198:18:1::/64 via fe80::2 dev wire");
            ip("-6 route add fd00:198:18:2::/64 via fd00:198:18::2");
            ip("route add 198.18.5.0/24 via inet6 fe80::2 dev wire");
            let mut routes = Routes::open().unwrap();
            let hosts = [
                ("fd00:198:18:1::9", "fd00:198:18::1"),
                ("fd00:198:18:2::9", "fd00:198:18::1"),
                ("fd00:198:18::2", "fd00:198:18::1"),
                ("198.18.5.9", "198.18.0.1"),
            ];
            for (host, source) in hosts {
                assert_eq!(towards(&mut routes, host), kernel(source), "{host}");
            }
            meet("fd00:198:18::2");
            ip("-6 neigh replace fe80::2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
            wait_for_change(&mut routes);
            for (host, source) in hosts {
                assert_eq!(towards(&mut routes, host), ethernet(source, FAR), "{host}");
            }
        },
    );
}

#[test]
fn links_without_ethernet_are_the_kernels() {
    let test = "decisions::links_without_ethernet_are_the_kernels";
    inside(test, || {
        ip("neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
        let mut routes = Routes::open().unwrap();
        assert_ne!(towards(&mut routes, "198.18.0.2").via, Via::Kernel);
        ip("link set wire arp off");
        assert!(routes.changed().unwrap());
        assert_eq!(towards(&mut routes, "198.18.0.2").via, Via::Kernel);
        for (link, make) in [
            ("dummy", "link add dummy type dummy"),
            ("tun", "tuntap add tun mode tun"),
            ("wg", "link add wg type wireguard"),
            ("blue", "link add blue type vrf table 300"),
        ] {
            if !can_ip(make) {
                skip(test, &format!("cannot make {link}"));
                continue;
            }
            ip(&format!("address add 198.18.7.1/24 dev {link}"));
            ip(&format!("link set {link} up"));
            // A VRF's own routes are in its table.
            if link == "blue" {
                ip("route replace 198.18.7.0/24 dev blue src 198.18.7.1");
            }
            let mut routes = Routes::open().unwrap();
            assert_eq!(
                towards(&mut routes, "198.18.7.2"),
                kernel("198.18.7.1"),
                "{link}"
            );
            ip(&format!("link del {link}"));
        }
    });
}

#[test]
fn ports_of_a_bridge_come_and_go() {
    let test = "decisions::ports_of_a_bridge_come_and_go";
    inside(test, || {
        ip("neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
        let mut routes = Routes::open().unwrap();
        if !can_ip("link add bridge type bridge") {
            return skip(test, "this kernel has no bridges");
        }
        ip("link set wire master bridge");
        ip("link set wire nomaster");
        routes.changed().unwrap();
        assert_eq!(
            towards(&mut routes, "198.18.0.2"),
            ethernet("198.18.0.1", FAR)
        );
    });
}

#[test]
fn a_route_that_wraps_packets_is_the_kernels() {
    let test = "decisions::a_route_that_wraps_packets_is_the_kernels";
    inside(test, || {
        ip("-6 neigh add fd00:198:18::2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
        let wrapped =
            "-6 route add fd00:198:18:1::/64 encap seg6 mode encap segs fd00:198:18::2 dev wire";
        if !can_ip(wrapped) {
            return skip(test, "this kernel has no segment routing");
        }
        let mut routes = Routes::open().unwrap();
        assert_eq!(
            towards(&mut routes, "fd00:198:18:1::9"),
            kernel("fd00:198:18::1")
        );
    });
}
