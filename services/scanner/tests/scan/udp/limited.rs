//! Between two network namespaces: services, a firewall, and Linux's default limits on ICMP errors.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, HostState, PortState};

use super::{host, scan, serve, told, undecided};
use crate::namespaces::between;

const TEST: &str = "udp::limited::services_a_firewall_and_limited_errors";
/// The target's addresses.
const HOSTS: [&str; 2] = ["198.18.0.2", "fd00:198:18::2"];

const LAYOUT: &str = "
ip netns exec B nft add table inet wall
ip netns exec B nft add chain inet wall in { type filter hook input priority 0 ; }
ip netns exec B nft add rule inet wall in udp dport 5001 reject with icmpx admin-prohibited
ip netns exec B nft add rule inet wall in udp dport 5002 reject with icmpx host-unreachable
ip netns exec B nft add rule inet wall in udp dport 5003 drop
";

#[test]
fn services_a_firewall_and_limited_errors() {
    between(TEST, LAYOUT, be_the_target, scan_the_target);
}

/// Name servers, TFTP servers, and what binds a port and says nothing.
fn be_the_target() -> Vec<UdpSocket> {
    let mut silent = Vec::new();
    for ip in HOSTS {
        let bind = |port| UdpSocket::bind((ip, port)).unwrap();
        serve(bind(53), |socket, question, from| {
            // The same question, marked as a response that refuses it.
            let mut answer = question.to_vec();
            if answer.len() >= 12 {
                answer[2] |= 0x80;
                answer[3] |= 5;
                socket.send_to(&answer, from).unwrap();
            }
        });
        serve(bind(69), move |_, question, from| {
            // From a port of its own, as TFTP does.
            if question.starts_with(&[0, 1]) {
                let transfer = UdpSocket::bind((ip, 0)).unwrap();
                transfer.send_to(b"\0\x05\0\x01none\0", from).unwrap();
            }
        });
        silent.push(bind(5000));
        // Answers to nobody's question.
        serve(bind(123), |socket, _, from| {
            socket.send_to(&[0x24; 48], from).unwrap();
        });
    }
    silent
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn scan_the_target() {
    let ports: PortSet = "udp:53,udp:69,udp:123,udp:5000-5003,udp:6000-6049"
        .parse()
        .unwrap();
    let known_open: PortSet = "udp:53,udp:6000".parse().unwrap();
    let started = Instant::now();
    let scan = scan(&HOSTS, ports, &known_open).await;
    let took = started.elapsed();
    println!("{took:?}, {} probes", scan.probes);
    assert!(took < Duration::from_secs(90), "{took:?}");
    for ip in HOSTS {
        let (host, is_ipv4) = (host(&scan, ip), ip.contains('.'));
        assert_eq!(host.state, HostState::Up);
        for port in [53, 69] {
            let verdict = told(host, port);
            assert_eq!(verdict.state, PortState::Open, "{ip} {port}");
            assert_eq!(verdict.evidence.answer, Answer::UdpReply);
            assert_eq!(verdict.evidence.ttl, Some(64));
        }
        let closed = told(host, 6000);
        assert_eq!(closed.state, PortState::Closed, "{ip}");
        let code = if is_ipv4 { 3 } else { 4 };
        assert_eq!(closed.evidence.answer, Answer::IcmpUnreachable(code));
        assert!(closed.evidence.probes >= 2);
        assert_eq!(host.filtered, "udp:5001-5002".parse().unwrap(), "{ip}");
        assert_eq!(
            undecided(&scan, ip),
            "udp:123,udp:5000,udp:5003".parse().unwrap(),
            "{ip}"
        );
        let rejected = |port| {
            let of = |one: &&portwatch_scanner::Rejected| {
                one.ip.to_string() == ip && one.port == Port::udp(port)
            };
            scan.rejected.iter().find(of).unwrap().evidence.answer
        };
        let (prohibited, unreachable) = if is_ipv4 { (13, 1) } else { (1, 3) };
        assert_eq!(rejected(5001), Answer::IcmpUnreachable(prohibited));
        assert_eq!(rejected(5002), Answer::IcmpUnreachable(unreachable));
    }
}
