//! On loopback only.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Instant;

use portwatch_packet::{Answer, Flow, Key, Ports};

use super::*;
use crate::capability;
use crate::skipped::skip;
use crate::source_ports::SourcePorts;

const KEY: [u8; 16] = [7; 16];
const LOCALHOSTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

fn probe(ip: IpAddr, source: u16, destination: u16) -> Probe {
    let addresses = Addresses::new(ip, ip).unwrap();
    let ports = Ports {
        source,
        destination,
    };
    let flow = Flow { addresses, ports };
    let sequence = Key::new(KEY).sequence(&flow);
    Probe {
        host: 0,
        by_kernel: false,
        flow,
        sequence,
    }
}

/// What comes in until `count` events have, or nothing more comes.
fn hear(wire: &mut Sockets, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let start = Instant::now();
    while events.len() < count && start.elapsed() < Duration::from_secs(5) {
        wire.receive(Duration::from_millis(200), &mut events)
            .unwrap();
    }
    events
}

#[test]
fn answers_come_with_their_cookie_and_ttl_and_nothing_else_does() {
    if let Err(denied) = capability::raw_sockets() {
        return skip(
            "answers_come_with_their_cookie_and_ttl_and_nothing_else_does",
            &denied.to_string(),
        );
    }
    for ip in LOCALHOSTS {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let open = listener.local_addr().unwrap().port();
        let [ours, others] = [(); 2].map(|()| SourcePorts::hold().unwrap());
        let mut wire = Sockets::open(0).unwrap();
        wire.listen(Some(ours.range())).unwrap();
        let mut other = Sockets::open(0).unwrap();
        other.listen(Some(others.range())).unwrap();

        // An open port, and one on which nobody listens since it is held.
        let probes = [open, others.range().first].map(|port| probe(ip, ours.range().first, port));
        assert_eq!(wire.send(&probes).unwrap(), 2);
        let events = hear(&mut wire, 2);
        assert_eq!(events.len(), 2, "{events:?}");
        for (event, probe) in events.iter().zip(&probes) {
            let Event::Reply(reply) = event else {
                panic!("{event:?}")
            };
            assert_eq!(reply.flow, probe.flow);
            assert_eq!(reply.ttl, Some(64));
            assert!(Key::new(KEY).proves(reply), "{reply:?}");
            let is_open = probe.flow.ports.destination == open;
            assert_eq!(matches!(reply.answer, Answer::SynAck { .. }), is_open);
        }
        // The probe to a port of theirs is a SYN, which no filter lets through.
        let mut unheard = Vec::new();
        other.receive(Duration::ZERO, &mut unheard).unwrap();
        assert_eq!(unheard, []);
    }
}

#[test]
fn an_overflow_of_the_receive_queue_is_told_once() {
    if let Err(denied) = capability::raw_sockets() {
        return skip(
            "an_overflow_of_the_receive_queue_is_told_once",
            &denied.to_string(),
        );
    }
    let ip = LOCALHOSTS[0];
    let ports = SourcePorts::hold().unwrap();
    let mut wire = Sockets::open(0).unwrap();
    wire.listen(Some(ports.range())).unwrap();
    // Loopback answers before the call returns, and a ring of the smallest size holds less than 2000 answers.
    for _ in 0..60 {
        wire.send(&[probe(ip, ports.range().first, ports.range().last); 64])
            .unwrap();
    }
    let overflows = |events: &[Event]| {
        events
            .iter()
            .filter(|&&event| event == Event::Overflow)
            .count()
    };
    assert_eq!(overflows(&hear(&mut wire, 1)), 1);
    let mut later = Vec::new();
    wire.receive(Duration::ZERO, &mut later).unwrap();
    assert_eq!(overflows(&later), 0);
}

#[test]
fn what_this_machine_refuses_to_send_is_told() {
    if let Err(denied) = capability::raw_sockets() {
        return skip(
            "what_this_machine_refuses_to_send_is_told",
            &denied.to_string(),
        );
    }
    let mut wire = Sockets::open(0).unwrap();
    // A broadcast, even on loopback, needs a permission that the socket does not ask for.
    let broadcast = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 255));
    let addresses = Addresses::new(LOCALHOSTS[0], broadcast).unwrap();
    let refused = Probe {
        host: 0,
        by_kernel: false,
        flow: Flow {
            addresses,
            ..probe(LOCALHOSTS[0], 40_000, 80).flow
        },
        sequence: 1,
    };
    assert_eq!(wire.send(&[refused]).unwrap(), 1);
    assert_eq!(hear(&mut wire, 1), [Event::Blocked(refused.flow)]);
}
