//! What changes while the sockets are open, and how fast the answers are.

use std::fmt::Write as _;

use super::lab::{inside, ip_batch};
use super::*;

/// A /16.
const DESTINATIONS: u32 = 65_536;

#[test]
fn neighbours_are_learnt_and_lost() {
    inside("updates::neighbours_are_learnt_and_lost", || {
        ip("route add 198.18.1.0/24 via 198.18.0.2");
        let mut routes = Routes::open().unwrap();
        let hosts = ["198.18.1.10", "198.18.0.2"];
        for host in hosts {
            assert_eq!(towards(&mut routes, host), kernel("198.18.0.1"));
        }
        meet("198.18.0.2");
        wait_for_change(&mut routes);
        for host in hosts {
            assert_eq!(towards(&mut routes, host), ethernet("198.18.0.1", FAR));
        }
        let other = "neigh replace 198.18.0.3 lladdr 02:00:00:00:00:03 dev wire nud";
        ip(&format!("{other} permanent"));
        assert!(routes.changed().unwrap());
        for state in ["stale", "reachable", "delay", "probe", "noarp", "permanent"] {
            ip(&format!("{other} {state}"));
            // A probe may be over at once, without an answer.
            if state != "probe" {
                assert!(!routes.changed().unwrap(), "{state}");
                assert_eq!(
                    towards(&mut routes, "198.18.0.3"),
                    ethernet("198.18.0.1", [2, 0, 0, 0, 0, 3])
                );
            }
        }
        ip("neigh del 198.18.0.3 dev wire");
        assert!(routes.changed().unwrap());
        assert_eq!(towards(&mut routes, "198.18.0.3"), kernel("198.18.0.1"));
        ip("neigh replace 198.18.0.2 lladdr 02:00:00:00:00:07 dev wire nud permanent");
        assert!(routes.changed().unwrap());
        let moved = ethernet("198.18.0.1", [2, 0, 0, 0, 0, 7]);
        assert_eq!(towards(&mut routes, "198.18.1.10"), moved);
        ip("neigh replace 198.18.0.2 dev wire nud failed");
        assert!(routes.changed().unwrap());
        assert_eq!(towards(&mut routes, "198.18.1.10"), kernel("198.18.0.1"));
    });
}

#[test]
fn changed_routes_are_followed_without_any_privilege() {
    inside(
        "updates::changed_routes_are_followed_without_any_privilege",
        || {
            ip("neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
            ip("neigh add 198.18.0.3 lladdr 02:00:00:00:00:03 dev wire nud permanent");
            let mut routes = Routes::open().unwrap();
            // Of this thread. What ip needs it gets again, being run by root.
            for set in [caps::CapSet::Effective, caps::CapSet::Permitted] {
                caps::clear(None, set).unwrap();
            }
            assert!(!routes.changed().unwrap());
            assert_eq!(refused(&mut routes, "198.18.1.10"), libc::ENETUNREACH);
            let [second, third] = [2, 3].map(|last| ethernet("198.18.0.1", [2, 0, 0, 0, 0, last]));

            ip("route add 198.18.0.0/16 via 198.18.0.2");
            assert!(routes.changed().unwrap());
            assert!(!routes.changed().unwrap());
            assert_eq!(towards(&mut routes, "198.18.1.10"), second);
            assert_eq!(towards(&mut routes, "198.18.1.200"), second);
            // A part of what was one stretch so far.
            ip("route add 198.18.1.0/25 via 198.18.0.3");
            assert!(routes.changed().unwrap());
            assert_eq!(towards(&mut routes, "198.18.1.10"), third);
            assert_eq!(towards(&mut routes, "198.18.1.200"), second);
            ip("route del 198.18.1.0/25");
            assert!(routes.changed().unwrap());
            assert_eq!(towards(&mut routes, "198.18.1.10"), second);

            ip("address add 198.18.0.7/24 dev wire");
            ip("route replace 198.18.0.0/16 via 198.18.0.2 src 198.18.0.7");
            assert!(routes.changed().unwrap());
            let source = towards(&mut routes, "198.18.1.10").source;
            assert_eq!(source, address("198.18.0.7"));
            assert_eq!(
                source_towards(address("198.18.1.10")).unwrap(),
                address("198.18.0.7")
            );
            ip("link set wire down");
            assert!(routes.changed().unwrap());
            assert_eq!(refused(&mut routes, "198.18.1.10"), libc::ENETUNREACH);
        },
    );
}

#[test]
fn more_changes_than_the_socket_holds_are_not_lost() {
    inside(
        "updates::more_changes_than_the_socket_holds_are_not_lost",
        || {
            ip("neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
            ip("route add blackhole 198.19.0.0/16");
            let mut routes = Routes::open().unwrap();
            assert_eq!(refused(&mut routes, "198.19.99.99"), libc::EINVAL);
            let lines = (0..30_000_u32).fold(String::new(), |mut lines, at| {
                let (high, low) = (at / 256, at % 256);
                let _ = writeln!(lines, "route add 198.19.{high}.{low}/32 via 198.18.0.2");
                lines
            });
            ip_batch(&lines);
            assert!(routes.changed().unwrap());
            assert_eq!(
                towards(&mut routes, "198.19.99.99"),
                ethernet("198.18.0.1", FAR)
            );
            assert_eq!(refused(&mut routes, "198.19.117.48"), libc::EINVAL);
            measure(&mut routes, "of 30,000 routes");
        },
    );
}

#[test]
fn a_crowd_of_neighbours_is_followed_and_their_flips_are_nothing_new() {
    let test = "updates::a_crowd_of_neighbours_is_followed_and_their_flips_are_nothing_new";
    inside(test, || {
        let crowd = |last: u8, state: &str| {
            let lines = (0..10_000_u32).fold(String::new(), |mut lines, at| {
                let (high, low) = (at / 256, at % 256);
                let _ = writeln!(
                    lines,
                    "neigh replace 198.19.{high}.{low} lladdr 02:00:00:00:00:0{last} dev wire nud {state}"
                );
                lines
            });
            ip_batch(&lines);
        };
        ip("route add 198.19.0.0/16 dev wire");
        let mut routes = Routes::open().unwrap();
        for (last, state, is_new) in [
            (3, "permanent", true),
            (3, "noarp", false),
            (4, "permanent", true),
        ] {
            crowd(last, state);
            assert_eq!(routes.changed().unwrap(), is_new, "{last} {state}");
            assert_eq!(
                towards(&mut routes, "198.19.39.15"),
                ethernet("198.18.0.1", [2, 0, 0, 0, 0, last])
            );
        }
        assert!(!routes.changed().unwrap());
        assert_eq!(towards(&mut routes, "198.19.39.16"), kernel("198.18.0.1"));
        measure(&mut routes, "on the link, 10,000 of them known");
    });
}

#[test]
fn a_network_takes_one_question() {
    inside("updates::a_network_takes_one_question", || {
        ip("neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
        ip("route add 198.19.0.0/16 via 198.18.0.2");
        let mut routes = Routes::open().unwrap();
        measure(&mut routes, "through a gateway");
        ip("route replace 198.19.0.0/16 dev wire");
        assert!(routes.changed().unwrap());
        measure(&mut routes, "on the link");
    });
}

/// Prints what it takes to ask for each address of 198.19.0.0/16.
fn measure(routes: &mut Routes, what: &str) {
    let first = u32::from(Ipv4Addr::new(198, 19, 0, 0));
    let start = Instant::now();
    let paths = (0..DESTINATIONS)
        .map(|host| routes.towards(IpAddr::V4((first + host).into())))
        .filter(|path| !matches!(path, Err(RouteError::Ask { .. })))
        .count();
    let took = start.elapsed();
    assert_eq!(paths, DESTINATIONS as usize);
    println!("{DESTINATIONS} calls {what}: {took:?}");
}
