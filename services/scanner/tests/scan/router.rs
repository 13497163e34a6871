//! Scans between two network namespaces: a router that drops, rejects and answers for whole networks.

use std::net::TcpListener;

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, HostReport, HostState, PortState};
use portwatch_scanner::{MethodSetting, Scan, Scanner, Settings};
use tokio_util::sync::CancellationToken;

use crate::jobs::{job, nothing, state};
use crate::namespaces::between;

const TEST: &str = "router::silence_rejections_and_answers_through_a_router";
const OPEN: u16 = 8080;

/// What the target's namespace does, beside listening.
const LAYOUT: &str = "
ip -n A route add 198.18.1.0/24 via 198.18.0.2
ip -n A route add fd00:198:18:1::/64 via fd00:198:18::2
ip -n B route add local 198.18.1.0/26 dev lo
ip -n B route add blackhole 198.18.1.64/26
ip -n B route add unreachable 198.18.1.128/26
ip -n B route add prohibit 198.18.1.192/26
ip -n B route add local fd00:198:18:1::/66 dev lo
ip -n B route add blackhole fd00:198:18:1:4000::/66
ip -n B route add unreachable fd00:198:18:1:8000::/66
ip -n B route add prohibit fd00:198:18:1:c000::/66
ip netns exec B sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip netns exec B sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
ip -n B -4 rule add pref 100 lookup local
ip -n B -4 rule del pref 0
ip -n B -4 rule add pref 10 ipproto tcp dport 81 blackhole
ip -n B -4 rule add pref 11 ipproto tcp dport 82 prohibit
ip -n B -6 rule add pref 100 lookup local
ip -n B -6 rule del pref 0
ip -n B -6 rule add pref 10 ipproto tcp dport 81 blackhole
ip -n B -6 rule add pref 11 ipproto tcp dport 82 prohibit
ip netns exec B nft add table inet wall
ip netns exec B nft add chain inet wall in { type filter hook input priority 0 ; }
ip netns exec B nft add rule inet wall in tcp dport 84 reject with icmpx port-unreachable
";

#[test]
fn silence_rejections_and_answers_through_a_router() {
    between(TEST, LAYOUT, listen, scan_everything);
}

fn listen() -> [TcpListener; 2] {
    ["0.0.0.0", "::"].map(|any| {
        let domain = if any == "::" {
            socket2::Domain::IPV6
        } else {
            socket2::Domain::IPV4
        };
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        if any == "::" {
            socket.set_only_v6(true).unwrap();
        }
        let address = std::net::SocketAddr::new(any.parse().unwrap(), OPEN);
        socket.bind(&address.into()).unwrap();
        socket.listen(128).unwrap();
        TcpListener::from(socket)
    })
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn scan_everything() {
    let [syn, connect] = [MethodSetting::Syn, MethodSetting::Connect].map(|method| {
        Scanner::new(&Settings {
            method,
            ..Settings::default()
        })
        .unwrap()
    });
    let known: PortSet = [22, 81, OPEN].map(Port::tcp).into_iter().collect();
    let ports: PortSet = "22,80-90,8080".parse().unwrap();
    let jobs = |hosts: &[&str]| {
        let hosts: Vec<_> = hosts
            .iter()
            .map(|ip| (ip.parse().unwrap(), known.clone()))
            .collect();
        job(&hosts, ports.clone())
    };
    // One after the other: the kernel tells a source of one prohibited packet a second at most, and no setting of a
    // namespace changes that.
    for scanner in [&syn, &connect] {
        let job = jobs(&["198.18.1.10", "fd00:198:18:1::10"]);
        let scan = scanner.scan(&job, nothing, CancellationToken::new());
        let scan = scan.await.unwrap();
        for report in &scan.hosts {
            report.check().unwrap();
            assert_up(&scan, report, &ports);
        }
    }
    // Dropped, and rejected by the router in two ways: nobody has seen these hosts.
    let dead = [
        "198.18.1.70",
        "198.18.1.130",
        "198.18.1.200",
        "fd00:198:18:1:4000::10",
        "fd00:198:18:1:8000::10",
        "fd00:198:18:1:c000::10",
    ];
    let job = jobs(&dead);
    let stop = CancellationToken::new;
    let (syn, connect) = (
        syn.scan(&job, nothing, stop()),
        connect.scan(&job, nothing, stop()),
    );
    let (syn, connect) = tokio::join!(syn, connect);
    for scan in [syn.unwrap(), connect.unwrap()] {
        let ips = scan.hosts.iter().map(|report| report.ip.to_string());
        assert!(ips.eq(dead));
        for report in &scan.hosts {
            assert_eq!(
                *report,
                HostReport::unknown(report.ip, None),
                "{:?}",
                scan.method
            );
        }
    }
}

fn assert_up(scan: &Scan, report: &HostReport, ports: &PortSet) {
    let told = |port: u16| {
        report
            .ports
            .iter()
            .find(|verdict| verdict.port == Port::tcp(port))
            .unwrap()
    };
    let context = format!("{} by {}", report.ip, scan.method);
    assert_eq!(report.state, HostState::Up, "{context}");
    assert_eq!(report.coverage, *ports, "{context}");
    for (port, expected, answer) in [
        (OPEN, PortState::Open, Answer::SynAck),
        (22, PortState::Closed, Answer::Rst),
        (81, PortState::Filtered, Answer::NoResponse),
    ] {
        assert_eq!(told(port).state, expected, "{context}: {port}");
        assert_eq!(told(port).evidence.answer, answer, "{context}: {port}");
    }
    assert!(
        told(81).evidence.probes >= 7,
        "{context}: the sweep, and at 0, 1, 3 and 7 s"
    );
    assert_eq!(
        report.ports.len(),
        3,
        "{context}: nothing else is told by itself"
    );
    assert_eq!(state(report, 83), Some(PortState::Closed), "{context}");
    // Administratively prohibited by the router, port unreachable by the host itself. Of the latter, `connect()`
    // alone would say what it says of a RST.
    let codes = if report.ip.is_ipv4() { [13, 3] } else { [1, 4] };
    let mut rejected: Vec<_> = scan
        .rejected
        .iter()
        .filter(|rejected| rejected.ip == report.ip)
        .map(|rejected| (rejected.port, rejected.evidence.answer))
        .collect();
    rejected.sort_by_key(|&(port, _)| port);
    let expected = [82, 84].into_iter().zip(codes);
    let expected: Vec<_> = expected
        .map(|(port, code)| (Port::tcp(port), Answer::IcmpUnreachable(code)))
        .collect();
    assert_eq!(rejected, expected, "{context}");
    for port in [82, 84] {
        assert_eq!(state(report, port), Some(PortState::Filtered), "{context}");
    }
}
