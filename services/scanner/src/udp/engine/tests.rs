#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, HostReport, HostState, PortState};
use portwatch_packet::Key;
use proptest::prelude::*;

use super::Engine;
use super::simulation::{Does, Limit, Network, Target, address};
use crate::drive::{Clock as _, End, drive};
use crate::engine::{Moment, Pacer, Rates};
use crate::exclude::Exclusions;
use crate::settings::Retries;
use crate::udp::plan::{UdpPlan, UdpTarget};
use crate::udp::report::{UdpHost, UdpScan};
use crate::udp::wire::{Event, Rejection};

const TARGET: [u8; 4] = [198, 18, 1, 1];
/// Linux's limit of IPv4.
const LINUX: Limit = Limit {
    burst: 6,
    every: Duration::from_secs(1),
};

fn set(text: &str) -> PortSet {
    if text.is_empty() {
        return PortSet::empty();
    }
    text.parse().unwrap()
}

fn plan(ports: &str, known_open: &str, seed: u64) -> UdpPlan {
    UdpPlan {
        hosts: vec![UdpTarget {
            ip: TARGET.into(),
            known_open: set(known_open),
        }],
        ports: set(ports),
        rate: 10_000,
        deadline: Moment::from_mins(10),
        retries: Retries::Auto,
        key: Key::new([seed.to_le_bytes(); 2].concat().try_into().unwrap()),
        order: seed,
    }
}

fn target(ports: &[(u16, Does)], otherwise: Does, limit: Option<Limit>) -> HashMap<IpAddr, Target> {
    let ports = ports.iter().copied().collect();
    let target = Target {
        ports,
        otherwise,
        limit,
    };
    HashMap::from([(TARGET.into(), target)])
}

fn pacer(pps: u32) -> Arc<Pacer> {
    let pps = NonZeroU32::new(pps).unwrap();
    Arc::new(Pacer::new(Rates {
        total: pps,
        network: pps,
        host: pps,
    }))
}

fn scan(plan: UdpPlan, network: &mut Network) -> UdpScan {
    scan_without(plan, network, &Exclusions::default())
}

fn scan_without(plan: UdpPlan, network: &mut Network, exclusions: &Exclusions) -> UdpScan {
    let clock = network.time.clone();
    let mut engine = Engine::new(plan, pacer(10_000), Moment::ZERO);
    let mut watch = |_| ControlFlow::Continue(());
    let end = drive(&mut engine, network, &clock, exclusions, &mut watch).unwrap();
    assert_eq!(end, End::Finished);
    engine.finish(end)
}

fn only(scan: &UdpScan) -> &UdpHost {
    assert_eq!(scan.hosts.len(), 1);
    &scan.hosts[0].1
}

/// What is told of a port; `None` if it is open or filtered.
fn state(host: &UdpHost, port: u16) -> Option<PortState> {
    let port = Port::udp(port);
    assert_ne!(host.undecided.contains(port), host.coverage.contains(port));
    if let Some(verdict) = host.ports.iter().find(|verdict| verdict.port == port) {
        Some(verdict.state)
    } else if host.filtered.contains(port) {
        Some(PortState::Filtered)
    } else {
        host.coverage.contains(port).then_some(PortState::Closed)
    }
}

#[test]
fn what_a_port_does_and_what_is_told() {
    use PortState::{Closed, Filtered, Open};
    let table = [
        (53, Does::Answers, Some(Open)),
        (5353, Does::AnswersOthers, None),
        (9999, Does::Answers, Some(Open)),
        (123, Does::Closed, Some(Closed)),
        (161, Does::Silent, None),
        (500, Does::Rejected(3, 13), Some(Filtered)),
        (501, Does::RejectedByItself(3, 10), Some(Filtered)),
        // Nobody but the host can say that its port is closed.
        (502, Does::Rejected(3, 3), Some(Filtered)),
        // Too large for the path, and time exceeded: nothing is said of the port.
        (503, Does::Rejected(3, 4), None),
        (504, Does::Rejected(11, 0), None),
        (505, Does::Rejected(3, 1), Some(Filtered)),
    ];
    for known_open in ["", "udp:1-65535"] {
        let ports: Vec<_> = table.iter().map(|&(port, does, _)| (port, does)).collect();
        let mut network = Network::new(target(&ports, Does::Silent, None), 0.0, 1);
        let wanted = "udp:53,udp:123,udp:161,udp:500-505,udp:5353,udp:9999";
        let scan = scan(plan(wanted, known_open, 1), &mut network);
        let host = only(&scan);
        for (port, does, expected) in table {
            assert_eq!(state(host, port), expected, "{port}: {does:?}");
        }
        assert_eq!(scan.progress.done, scan.progress.total);
        assert_eq!(scan.progress.open, 2);
        assert!(scan.progress.unproven >= 4, "the answers to others");
        assert!(scan.complete && host.up.is_some());
    }
}

#[test]
fn evidence_is_told_of_open_ports_and_of_those_known_open() {
    let ports = [(53, Does::Answers), (54, Does::Closed), (55, Does::Closed)];
    let mut network = Network::new(target(&ports, Does::Silent, None), 0.0, 2);
    let scan = scan(plan("udp:53-56", "udp:54", 2), &mut network);
    let told: Vec<_> = only(&scan)
        .ports
        .iter()
        .map(|verdict| {
            let evidence = verdict.evidence;
            assert_eq!(evidence.ttl, Some(60));
            assert!(evidence.rtt.unwrap() < Duration::from_millis(10));
            (verdict.port.number, evidence.answer, evidence.probes)
        })
        .collect();
    assert_eq!(
        told,
        [
            (53, Answer::UdpReply, 1),
            (54, Answer::IcmpUnreachable(3), 2)
        ],
        "what was open is asked twice before it is closed"
    );
    let probes: Vec<_> = network
        .sent
        .iter()
        .filter(|(_, probe)| probe.to.port() == 54)
        .collect();
    assert!(probes[1].0 >= probes[0].0 + Duration::from_secs(1));
    assert_ne!(probes[0].1.lane, probes[1].1.lane);
}

#[test]
fn a_port_that_comes_back_is_not_closed() {
    let back = Moment::from_millis(300);
    let ports = [(4000, Does::ClosedUntil(back))];
    let mut network = Network::new(target(&ports, Does::Silent, None), 0.0, 3);
    let scan = scan(plan("udp:4000", "udp:4000", 3), &mut network);
    assert_eq!(state(only(&scan), 4000), Some(PortState::Open));
}

#[test]
fn a_silent_port_is_asked_as_often_as_the_settings_say() {
    for (retries, probes) in [
        (Retries::Auto, 4),
        (Retries::Most(0), 1),
        (Retries::Most(5), 6),
    ] {
        let mut network = Network::new(target(&[], Does::Silent, None), 0.0, 4);
        let mut plan = plan("udp:53,udp:9000-9099", "udp:9001", 4);
        plan.retries = retries;
        let scan = scan(plan, &mut network);
        assert_eq!(only(&scan).undecided.len(), 101);
        assert_eq!(only(&scan).up, None);
        assert_eq!(network.sent.len(), 101 * probes, "{retries:?}");
    }
}

#[test]
fn forged_answers_prove_nothing() {
    let mut network = Network::new(target(&[], Does::Silent, None), 0.0, 5);
    let forged = |lane, payload: &[u8]| Event::Reply {
        from: address(TARGET, 53),
        lane,
        ttl: None,
        payload: payload.to_vec(),
    };
    let rejected = |port, lane, quoted: &[u8]| {
        Event::Rejected(Rejection {
            to: address(TARGET, port),
            lane,
            by: TARGET.into(),
            kind: 3,
            code: 3,
            ttl: None,
            quoted: quoted.to_vec(),
        })
    };
    let at = Moment::from_millis(100);
    network.inject(at, forged(0, &[0; 40]));
    network.inject(at, forged(0, b""));
    // On a lane through which nothing was sent yet, of a port that is not scanned, with another payload.
    network.inject(at, rejected(54, 3, b""));
    network.inject(at, rejected(99, 0, b""));
    network.inject(at, rejected(53, 0, b"something else"));
    let scan = scan(plan("udp:53-54", "", 5), &mut network);
    assert_eq!(only(&scan).undecided.len(), 2);
    assert_eq!((scan.progress.answers, scan.progress.unproven), (0, 5));
}

#[test]
fn tftp_answers_from_another_port() {
    let mut network = Network::new(target(&[], Does::Silent, None), 0.0, 6);
    let answer = |lane, payload: &[u8]| Event::Reply {
        from: address(TARGET, 40_000),
        lane,
        ttl: None,
        payload: payload.to_vec(),
    };
    let error = b"\0\x05\0\x01File not found\0";
    // The lane of port 69, and one that is used by all ports.
    network.inject(Moment::from_millis(100), answer(1, error));
    network.inject(Moment::from_millis(100), answer(8, error));
    let scan = scan(plan("udp:69-70", "", 6), &mut network);
    assert_eq!(state(only(&scan), 69), Some(PortState::Open));
    assert_eq!(state(only(&scan), 70), None);
    assert_eq!(scan.progress.unproven, 1);
}

#[test]
fn closed_ports_of_a_host_that_limits_its_errors_are_told() {
    let open = [(1053, Does::Answers), (1060, Does::Silent)];
    for (name, limit, most_seconds) in [
        ("Linux", LINUX, 110),
        (
            "IPv6",
            Limit {
                burst: 6,
                every: Duration::from_millis(100),
            },
            25,
        ),
        (
            "in all",
            Limit {
                burst: 50,
                every: Duration::from_millis(1),
            },
            10,
        ),
    ] {
        // How many probes it takes is partly luck: whether an interval is learnt early.
        for seed in 0..8 {
            let mut network = Network::new(target(&open, Does::Closed, Some(limit)), 0.0, seed);
            let scan = scan(plan("udp:1000-1099", "", seed), &mut network);
            let host = only(&scan);
            assert_eq!(host.undecided, set("udp:1060"), "{name} {seed}");
            assert_eq!(host.coverage.len(), 99, "{name} {seed}");
            let (took, sent) = (network.time.now(), network.sent.len());
            assert!(took < Duration::from_secs(most_seconds), "{name}: {took:?}");
            assert!(sent < 2000, "{name} {seed}: {sent} probes");
        }
    }
}

#[test]
fn silent_ports_cost_a_limited_host_no_time() {
    let closed: Vec<_> = (2000..2020).map(|port| (port, Does::Closed)).collect();
    let mut network = Network::new(target(&closed, Does::Silent, Some(LINUX)), 0.0, 8);
    let scan = scan(plan("udp:1500-2499", "", 8), &mut network);
    assert_eq!(only(&scan).coverage, set("udp:2000-2019"));
    let (took, sent) = (network.time.now(), network.sent.len());
    assert!(took < Duration::from_mins(1), "{took:?}, {sent} probes");
}

#[test]
fn a_host_without_limit_is_told_quickly() {
    let open = [(7, Does::Silent), (53, Does::Answers)];
    let mut network = Network::new(target(&open, Does::Closed, None), 0.0, 9);
    let scan = scan(plan("udp:1-5000", "", 9), &mut network);
    assert_eq!(only(&scan).undecided, set("udp:7"));
    // Half a second at this rate, and the patience with port 7.
    assert!(network.time.now() < Duration::from_secs(6));
    assert!(network.sent.len() < 5100, "{}", network.sent.len());
}

#[test]
fn the_deadline_leaves_the_rest_undecided() {
    let mut network = Network::new(target(&[], Does::Closed, Some(LINUX)), 0.0, 10);
    let mut plan = plan("udp:1-1000", "", 10);
    plan.deadline = Moment::from_secs(20);
    let scan = scan(plan, &mut network);
    let host = only(&scan);
    assert!(network.time.now() <= Duration::from_millis(20_001));
    assert!(
        (15..30).contains(&host.coverage.len()),
        "{}",
        host.coverage.len()
    );
    assert_eq!(host.coverage.len() + host.undecided.len(), 1000);
}

#[test]
fn a_host_that_is_not_there_is_given_up() {
    let mut network = Network::new(target(&[], Does::Rejected(3, 1), Some(LINUX)), 0.0, 11);
    let scan = scan(plan("udp:1-1000", "", 11), &mut network);
    let host = only(&scan);
    assert_eq!((host.up, host.coverage.len()), (None, 0));
    assert_eq!(scan.progress.done, 1000);
    assert!(network.time.now() < Duration::from_secs(10));
}

#[test]
fn a_host_that_goes_away_is_not_filtered() {
    let gone = Moment::from_millis(400);
    let port = |code| Does::RejectedFrom(gone, 3, code);
    let ports = [
        (53, Does::Answers),
        (54, port(1)),
        (55, port(0)),
        (56, port(13)),
    ];
    let mut network = Network::new(target(&ports, Does::Silent, None), 0.0, 14);
    let scan = scan(plan("udp:53-56", "udp:54-56", 14), &mut network);
    let host = only(&scan);
    assert_eq!(host.undecided, set("udp:54-55"));
    assert_eq!(
        state(host, 56),
        Some(PortState::Filtered),
        "somebody forbids it"
    );
}

#[test]
fn exclusions_and_rates_hold() {
    let mut network = Network::new(target(&[], Does::Closed, None), 0.0, 12);
    let excluded = Exclusions::new(&["198.18.1.0/24".parse().unwrap()]);
    let none = scan_without(plan("udp:1-10", "", 12), &mut network, &excluded);
    assert_eq!((network.sent.len(), only(&none).undecided.len()), (0, 10));
    let mut slow = plan("udp:1-300", "", 12);
    slow.rate = 100;
    let mut network = Network::new(target(&[], Does::Closed, None), 0.0, 12);
    assert_eq!(only(&scan(slow, &mut network)).coverage.len(), 300);
    for (index, (from, _)) in network.sent.iter().enumerate() {
        let until = *from + Duration::from_millis(100);
        let window = network.sent[index..].iter();
        assert!(window.take_while(|(at, _)| *at < until).count() <= 10);
    }
}

#[test]
fn a_host_that_answered_is_up_and_a_suspect_one_is_not_judged() {
    let mut network = Network::new(target(&[(53, Does::Answers)], Does::Silent, None), 0.0, 13);
    let scan = scan(plan("udp:53-54", "", 13), &mut network);
    let mut report = HostReport::unknown(TARGET.into(), None);
    only(&scan).clone().merge_into(&mut report);
    report.check().unwrap();
    assert_eq!(report.state, HostState::Up);
    assert_eq!(report.coverage, set("udp:53"));
    let mut suspect = HostReport::unknown(TARGET.into(), None);
    suspect.suspect = true;
    only(&scan).clone().merge_into(&mut suspect);
    suspect.check().unwrap();
    assert!(suspect.coverage.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is lost, and however the host limits its errors, nothing false is told.
    #[test]
    fn no_verdict_is_false(
        seed: u64,
        loss in 0.0..0.3,
        behaviours in prop::collection::vec(0_u8..6, 1..60),
        known in any::<bool>(),
        limit in prop::option::of((1_u32..60, 1_u64..1200)),
    ) {
        let does = |kind: u8| match kind {
            0 => Does::Answers,
            1 => Does::AnswersOthers,
            2 => Does::Silent,
            3 => Does::Rejected(3, 13),
            _ => Does::Closed,
        };
        let ports: Vec<_> = (50..).zip(behaviours.iter().map(|&kind| does(kind))).collect();
        let limit = limit.map(|(burst, every)| Limit { burst, every: Duration::from_millis(every) });
        let mut network = Network::new(target(&ports, Does::Silent, limit), loss, seed);
        let last = 49 + ports.len();
        let wanted = format!("udp:50-{last}");
        let scan = scan(plan(&wanted, if known { &wanted } else { "" }, seed), &mut network);
        let host = only(&scan);
        for (port, does) in ports {
            let told = state(host, port);
            let right = match does {
                Does::Answers => told == Some(PortState::Open),
                Does::Closed => told == Some(PortState::Closed),
                Does::Rejected(..) => told == Some(PortState::Filtered),
                // Those without an id in their question are answered by anything that comes from them.
                Does::AnswersOthers => told == Some(PortState::Open) && port != 53,
                _ => false,
            };
            prop_assert!(told.is_none() || right, "{port} {does:?} is told {told:?}");
        }
        prop_assert_eq!(scan.progress.done, scan.progress.total);
        let mut report = HostReport::unknown(TARGET.into(), None);
        host.clone().merge_into(&mut report);
        prop_assert_eq!(report.check(), Ok(()));
    }
}
