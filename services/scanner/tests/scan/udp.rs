//! UDP over real sockets: on loopback, and between two network namespaces with Linux's own limits on ICMP errors.

mod limited;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, PortState, PortVerdict};
use portwatch_scanner::Retries;
use portwatch_scanner::udp::{
    self, Clock as _, Exclusions, Key, Monotonic, Pacer, Rates, UdpHost, UdpPlan, UdpScan,
    UdpTarget,
};

/// Scans these ports of these hosts, for two minutes at most.
fn scan(hosts: &[&str], ports: PortSet, known_open: &PortSet) -> UdpScan {
    scan_without(hosts, ports, known_open, &Exclusions::default())
}

fn scan_without(
    hosts: &[&str],
    ports: PortSet,
    known_open: &PortSet,
    exclusions: &Exclusions,
) -> UdpScan {
    let rate = NonZeroU32::new(20_000).unwrap();
    let pacer = Pacer::new(Rates {
        total: rate,
        network: rate,
        host: rate,
    });
    let clock = Monotonic::start();
    let target = |ip: &&str| UdpTarget {
        ip: ip.parse().unwrap(),
        known_open: known_open.clone(),
    };
    let plan = UdpPlan {
        hosts: hosts.iter().map(target).collect(),
        ports,
        rate: 20_000,
        deadline: clock.now() + Duration::from_mins(2),
        retries: Retries::Auto,
        key: Key::new([7; 16]),
        order: 7,
    };
    let mut watch = |_| ControlFlow::Continue(());
    udp::scan(plan, Arc::new(pacer), &clock, exclusions, &mut watch).unwrap()
}

fn host<'a>(scan: &'a UdpScan, ip: &str) -> &'a UdpHost {
    let ip: IpAddr = ip.parse().unwrap();
    &scan.hosts.iter().find(|(seen, _)| *seen == ip).unwrap().1
}

fn told(host: &UdpHost, port: u16) -> &PortVerdict {
    let port = Port::udp(port);
    host.ports
        .iter()
        .find(|verdict| verdict.port == port)
        .unwrap()
}

/// Answers everything with what `answer` makes of it, until the test ends.
fn serve(socket: UdpSocket, answer: impl Fn(&UdpSocket, &[u8], SocketAddr) + Send + 'static) {
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            answer(&socket, &buffer[..length], from);
        }
    });
}

fn port_of(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

/// The UDP ports that any socket of this machine is bound to.
fn bound_anywhere() -> PortSet {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let port = |line: &str| {
        let local = line.split_whitespace().nth(1)?;
        u16::from_str_radix(local.split_once(':')?.1, 16).ok()
    };
    let ports = table.lines().skip(1).filter_map(port);
    ports.map(Port::udp).collect()
}

#[test]
fn open_closed_and_silent_on_loopback() {
    for ip in ["127.0.0.1", "::1"] {
        let bind = || UdpSocket::bind(SocketAddr::new(ip.parse().unwrap(), 0));
        let Ok(answering) = bind() else {
            crate::skipped::skip("udp", &format!("{ip} is not an address of this machine"));
            continue;
        };
        let (silent, free) = (bind().unwrap(), bind().unwrap());
        let [open, quiet, closed] = [&answering, &silent, &free].map(port_of);
        drop(free);
        serve(answering, |socket, _, from| {
            socket.send_to(b"here", from).unwrap();
        });
        let ports: PortSet = [open, quiet, closed].map(Port::udp).into_iter().collect();
        let scan = scan(&[ip], ports.clone(), &ports);
        let host = host(&scan, ip);
        let verdict = told(host, open);
        assert_eq!(
            (verdict.state, verdict.evidence.answer),
            (PortState::Open, Answer::UdpReply)
        );
        assert!(verdict.evidence.ttl.is_some() && verdict.evidence.rtt.is_some());
        let code = if ip == "::1" { 4 } else { 3 };
        let verdict = told(host, closed);
        assert_eq!(
            (verdict.state, verdict.evidence.answer),
            (PortState::Closed, Answer::IcmpUnreachable(code))
        );
        assert!(verdict.evidence.probes >= 2, "known open: asked twice");
        assert!(verdict.evidence.ttl.is_some());
        assert_eq!(host.undecided, [Port::udp(quiet)].into_iter().collect());
    }
}

#[test]
fn thousands_of_closed_ports_on_loopback_are_told_quickly() {
    let started = Instant::now();
    let ports: PortSet = "udp:15000-19999".parse().unwrap();
    let scan = scan(&["127.0.0.9"], ports, &PortSet::empty());
    let host = host(&scan, "127.0.0.9");
    let unexplained = host.undecided.difference(&bound_anywhere());
    assert!(unexplained.is_empty(), "{unexplained}");
    assert!(host.coverage.len() > 4900);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_sockets_of_the_scan_are_not_taken_for_answers() {
    let ports: PortSet = "udp:32768-60999".parse().unwrap();
    let scan = scan(&["127.0.0.1"], ports, &PortSet::empty());
    let open: Vec<_> = host(&scan, "127.0.0.1").ports.iter().collect();
    let bound = bound_anywhere();
    for verdict in open {
        assert!(
            bound.contains(verdict.port),
            "{verdict:?} and nobody is there"
        );
    }
}

#[test]
fn nothing_is_sent_to_what_is_excluded() {
    let watched = UdpSocket::bind("127.0.0.8:0").unwrap();
    watched.set_nonblocking(true).unwrap();
    let ports = [Port::udp(port_of(&watched))].into_iter().collect();
    let excluded = Exclusions::new(&["127.0.0.8/31".parse().unwrap()]);
    let scan = scan_without(&["127.0.0.8"], ports, &PortSet::empty(), &excluded);
    assert_eq!(host(&scan, "127.0.0.8").undecided.len(), 1);
    let error = watched.recv_from(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}
