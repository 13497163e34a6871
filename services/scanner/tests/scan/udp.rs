//! UDP over real sockets: on loopback, and between two network namespaces with Linux's own limits on ICMP errors.

mod limited;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, HostReport, PortState, PortVerdict};
use portwatch_scanner::{MethodSetting, Scan, Scanner, Settings};
use tokio_util::sync::CancellationToken;

use crate::jobs::{job, nothing};

const RATE: u32 = 20_000;

/// Scans these ports of these hosts, for two minutes at most.
async fn scan(hosts: &[&str], ports: PortSet, known_open: &PortSet) -> Scan {
    scan_without(hosts, ports, known_open, &[]).await
}

async fn scan_without(
    hosts: &[&str],
    ports: PortSet,
    known_open: &PortSet,
    exclude: &[&str],
) -> Scan {
    let mut settings = Settings {
        method: MethodSetting::Connect,
        ..Settings::default()
    };
    settings.permit_rate(RATE);
    let target = |ip: &&str| (ip.parse().unwrap(), known_open.clone());
    let hosts: Vec<_> = hosts.iter().map(target).collect();
    let mut job = job(&hosts, ports);
    job.rate = RATE;
    job.exclude = exclude.iter().map(|net| net.parse().unwrap()).collect();
    let scanner = Scanner::new(&settings).unwrap();
    let scan = scanner.scan(&job, nothing, CancellationToken::new()).await;
    scan.unwrap()
}

fn host<'a>(scan: &'a Scan, ip: &str) -> &'a HostReport {
    let is = |report: &&HostReport| report.ip.to_string() == ip;
    scan.hosts.iter().find(is).unwrap()
}

/// The ports that are open or filtered.
fn undecided(scan: &Scan, ip: &str) -> PortSet {
    let of = scan.undecided.iter().find(|(of, _)| of.to_string() == ip);
    of.map_or_else(PortSet::empty, |(_, ports)| ports.clone())
}

fn told(host: &HostReport, port: u16) -> &PortVerdict {
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

#[tokio::test]
async fn open_closed_and_silent_on_loopback() {
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
        let scan = scan(&[ip], ports.clone(), &ports).await;
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
        assert_eq!(
            undecided(&scan, ip),
            [Port::udp(quiet)].into_iter().collect()
        );
    }
}

#[tokio::test]
async fn thousands_of_closed_ports_on_loopback_are_told_quickly() {
    let started = Instant::now();
    let ports: PortSet = "udp:15000-19999".parse().unwrap();
    let scan = scan(&["127.0.0.9"], ports, &PortSet::empty()).await;
    let host = host(&scan, "127.0.0.9");
    let unexplained = undecided(&scan, "127.0.0.9").difference(&bound_anywhere());
    assert!(unexplained.is_empty(), "{unexplained}");
    assert!(host.coverage.len() > 4900);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn the_sockets_of_the_scan_are_not_taken_for_answers() {
    let ports: PortSet = "udp:32768-60999".parse().unwrap();
    let scan = scan(&["127.0.0.1"], ports, &PortSet::empty()).await;
    let open: Vec<_> = host(&scan, "127.0.0.1").ports.iter().collect();
    let bound = bound_anywhere();
    for verdict in open {
        assert!(
            bound.contains(verdict.port),
            "{verdict:?} and nobody is there"
        );
    }
}

#[tokio::test]
async fn nothing_is_sent_to_what_is_excluded() {
    let watched = UdpSocket::bind("127.0.0.8:0").unwrap();
    watched.set_nonblocking(true).unwrap();
    let ports = [Port::udp(port_of(&watched))].into_iter().collect();
    let scan = scan_without(&["127.0.0.8"], ports, &PortSet::empty(), &["127.0.0.8/31"]).await;
    assert_eq!((scan.probes, scan.undecided.len()), (0, 0));
    let error = watched.recv_from(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}
