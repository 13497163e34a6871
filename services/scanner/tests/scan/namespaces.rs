//! Scans between two network namespaces that the test makes itself, with no way out: a router that drops, rejects
//! and answers for whole networks.
//!
//! The test runs itself again inside them: once as the target, which listens, once as the scanner.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, HostReport, HostState, Method, PortState};
use portwatch_scanner::{MethodSetting, Scan, Scanner, Settings};
use tokio_util::sync::CancellationToken;

use crate::jobs::{job, nothing, state};
use crate::skipped::skip;

/// Tells the test that it runs inside, and as what.
const ROLE: &str = "PORTWATCH_TEST_ROLE";
const TEST: &str = "namespaces::silence_rejections_and_answers_through_a_router";
const OPEN: u16 = 8080;

/// What the target's namespace does, beside listening. `A` and `B` are the two namespaces.
const LAYOUT: &str = "
netns add A
netns add B
-n A link add wire type veth peer name wire netns B
-n A link set lo up
-n B link set lo up
-n A address add 198.18.0.1/24 dev wire
-n B address add 198.18.0.2/24 dev wire
-n A address add fd00:198:18::1/64 dev wire nodad
-n B address add fd00:198:18::2/64 dev wire nodad
-n A link set wire up
-n B link set wire up
-n A route add 198.18.1.0/24 via 198.18.0.2
-n A route add fd00:198:18:1::/64 via fd00:198:18::2
-n B route add local 198.18.1.0/26 dev lo
-n B route add blackhole 198.18.1.64/26
-n B route add unreachable 198.18.1.128/26
-n B route add prohibit 198.18.1.192/26
-n B route add local fd00:198:18:1::/66 dev lo
-n B route add blackhole fd00:198:18:1:4000::/66
-n B route add unreachable fd00:198:18:1:8000::/66
-n B route add prohibit fd00:198:18:1:c000::/66
netns exec B sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
netns exec B sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
-n B -4 rule add pref 100 lookup local
-n B -4 rule del pref 0
-n B -4 rule add pref 10 ipproto tcp dport 81 blackhole
-n B -4 rule add pref 11 ipproto tcp dport 82 prohibit
-n B -6 rule add pref 100 lookup local
-n B -6 rule del pref 0
-n B -6 rule add pref 10 ipproto tcp dport 81 blackhole
-n B -6 rule add pref 11 ipproto tcp dport 82 prohibit
";

/// Two namespaces and the wire between them; gone when dropped.
struct Namespaces {
    names: [String; 2],
}

impl Namespaces {
    fn make() -> Result<Self, String> {
        let names = ["a", "b"].map(|side| format!("portwatch-test-{}-{side}", std::process::id()));
        let made = Self { names };
        for line in LAYOUT.trim().lines() {
            let mut command = Command::new("ip");
            command.args(line.split(' ').map(|word| match word {
                "A" => &made.names[0],
                "B" => &made.names[1],
                word => word,
            }));
            let output = command
                .output()
                .map_err(|error| format!("cannot run ip: {error}"))?;
            if !output.status.success() {
                return Err(format!(
                    "ip {line}: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                ));
            }
        }
        Ok(made)
    }

    /// This test again, inside one of them.
    fn enter(&self, side: usize, role: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[side]]);
        command.arg(std::env::current_exe().unwrap());
        command
            .args(["--exact", TEST, "--nocapture"])
            .env(ROLE, role);
        command
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

/// The target, stopped when dropped.
struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn silence_rejections_and_answers_through_a_router() {
    match std::env::var(ROLE).as_deref() {
        Ok("target") => return listen(),
        Ok("scanner") => return scan_everything(),
        _ => {}
    }
    let namespaces = match Namespaces::make() {
        Ok(namespaces) => namespaces,
        Err(why) => return skip(TEST, &format!("cannot make network namespaces: {why}")),
    };
    let mut target = namespaces.enter(1, "target");
    let target = target
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut target = Target(target);
    let lines = BufReader::new(target.0.stdout.take().unwrap()).lines();
    assert!(
        lines
            .map(Result::unwrap)
            .any(|line| line.contains("listening")),
        "the target ended"
    );
    let status = namespaces.enter(0, "scanner").status().unwrap();
    assert!(
        status.success(),
        "the scan inside the namespace failed: {status}"
    );
}

/// The target: listens until its standard input ends.
fn listen() {
    let _listeners = ["0.0.0.0", "::"].map(|any| {
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
    });
    println!("listening");
    let _ = std::io::stdin().read(&mut [0]);
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
    let scan_both = async |hosts: &[&str]| {
        let hosts: Vec<_> = hosts
            .iter()
            .map(|ip| (ip.parse().unwrap(), known.clone()))
            .collect();
        let job = job(&hosts, ports.clone());
        let stop = CancellationToken::new;
        let (syn, connect) = (
            syn.scan(&job, nothing, stop()),
            connect.scan(&job, nothing, stop()),
        );
        let (syn, connect) = tokio::join!(syn, connect);
        [syn.unwrap(), connect.unwrap()]
    };
    for scan in scan_both(&["198.18.1.10", "fd00:198:18:1::10"]).await {
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
    for scan in scan_both(&dead).await {
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
    assert_eq!(state(report, 82), Some(PortState::Filtered), "{context}");
    assert_eq!(state(report, 83), Some(PortState::Closed), "{context}");
    let rejected: Vec<_> = scan
        .rejected
        .iter()
        .filter(|rejected| rejected.ip == report.ip)
        .collect();
    assert_eq!(rejected.len(), 1, "{context}");
    assert_eq!(rejected[0].port, Port::tcp(82));
    if scan.method == Method::Syn {
        // Administratively prohibited: code 13 of ICMP, code 1 of ICMPv6.
        let code = if report.ip.is_ipv4() { 13 } else { 1 };
        assert_eq!(
            rejected[0].evidence.answer,
            Answer::IcmpUnreachable(code),
            "{context}"
        );
    }
}
