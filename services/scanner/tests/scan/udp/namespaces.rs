//! Between two network namespaces that the test makes itself, with no way out: services, a firewall, and Linux's
//! default limits on ICMP errors.
//!
//! The test runs itself again inside them: once as the target, once as the scanner.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, PortState};

use super::{host, scan, serve, told};
use crate::skipped::skip;

/// Tells the test that it runs inside, and as what.
const ROLE: &str = "PORTWATCH_TEST_ROLE";
const TEST: &str = "udp::namespaces::services_a_firewall_and_limited_errors";
/// The target's addresses.
const HOSTS: [&str; 2] = ["198.18.0.2", "fd00:198:18::2"];

/// `A` and `B` are the two namespaces.
const LAYOUT: &str = "
ip netns add A
ip netns add B
ip -n A link add wire type veth peer name wire netns B
ip -n A link set lo up
ip -n B link set lo up
ip -n A address add 198.18.0.1/24 dev wire
ip -n B address add 198.18.0.2/24 dev wire
ip -n A address add fd00:198:18::1/64 dev wire nodad
ip -n B address add fd00:198:18::2/64 dev wire nodad
ip -n A link set wire up
ip -n B link set wire up
ip netns exec B nft add table inet wall
ip netns exec B nft add chain inet wall in { type filter hook input priority 0 ; }
ip netns exec B nft add rule inet wall in udp dport 5001 reject with icmpx admin-prohibited
ip netns exec B nft add rule inet wall in udp dport 5002 reject with icmpx host-unreachable
ip netns exec B nft add rule inet wall in udp dport 5003 drop
";

/// Two namespaces and the wire between them; gone when dropped.
struct Namespaces {
    names: [String; 2],
}

impl Namespaces {
    fn make() -> Result<Self, String> {
        let names = ["a", "b"].map(|side| format!("portwatch-udp-{}-{side}", std::process::id()));
        let made = Self { names };
        for line in LAYOUT.trim().lines() {
            let mut words = line.split(' ').map(|word| match word {
                "A" => &made.names[0],
                "B" => &made.names[1],
                word => word,
            });
            let output = Command::new(words.next().unwrap())
                .args(words)
                .output()
                .map_err(|error| format!("cannot run ip: {error}"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{line}: {}", said.trim()));
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
fn services_a_firewall_and_limited_errors() {
    match std::env::var(ROLE).as_deref() {
        Ok("target") => return be_the_target(),
        Ok("scanner") => return scan_the_target(),
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
    let mut lines = BufReader::new(target.0.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap().contains("listening")),
        "the target ended"
    );
    let status = namespaces.enter(0, "scanner").status().unwrap();
    assert!(
        status.success(),
        "the scan inside the namespace failed: {status}"
    );
}

/// Name servers, TFTP servers, and what binds a port and says nothing, until standard input ends.
fn be_the_target() {
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
    println!("listening");
    let _ = std::io::stdin().read(&mut [0]);
}

fn scan_the_target() {
    let ports: PortSet = "udp:53,udp:69,udp:123,udp:5000-5003,udp:6000-6049"
        .parse()
        .unwrap();
    let known_open: PortSet = "udp:53,udp:6000".parse().unwrap();
    let started = Instant::now();
    let scan = scan(&HOSTS, ports, &known_open);
    let took = started.elapsed();
    println!("{took:?}, {} probes", scan.progress.sent);
    assert!(took < Duration::from_secs(90), "{took:?}");
    for ip in HOSTS {
        let (host, is_ipv4) = (host(&scan, ip), ip.contains('.'));
        assert!(host.up.is_some());
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
            host.undecided,
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
