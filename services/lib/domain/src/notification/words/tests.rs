//! What people read.

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::change::ChangeId;
use crate::job::JobId;
use crate::notification::Notification;
use crate::ports::Port;
use crate::snapshot::service::{NameSource, SafeText, ServiceName};
use crate::target::TargetId;

fn change(transition: Transition) -> Change {
    Change {
        id: ChangeId(Uuid::nil()),
        transition,
        at: Timestamp::UNIX_EPOCH,
    }
}

fn of_port(port: Port, after: PortState, answer: Answer, expected: bool) -> Change {
    change(Transition::Port {
        port,
        before: PortState::Open,
        after,
        evidence: Evidence {
            answer,
            ttl: None,
            rtt: None,
            probes: 12,
        },
        expected,
        service: None,
    })
}

fn of_host(after: HostState, suspect: bool) -> Change {
    change(Transition::Host {
        before: HostState::Unknown,
        after,
        suspect,
    })
}

fn told(changes: Vec<Change>) -> HostChanges {
    HostChanges {
        target: TargetId(Uuid::from_u128(1)),
        target_name: "web".to_owned(),
        group: "default".to_owned(),
        notify: true,
        job: JobId(Uuid::from_u128(2)),
        ip: IpAddr::from([192, 0, 2, 7]),
        host_name: Some("www.example.org".to_owned()),
        changes,
    }
}

#[test]
fn sentences() {
    use Answer::{IcmpUnreachable, NoResponse, Rst, SynAck, UdpReply};
    use PortState::{Closed, Filtered, Open};
    for (change, text) in [
        (
            of_port(Port::tcp(22), Open, SynAck, false),
            "h: port 22/tcp (ssh) opened — it accepts connections (SYN-ACK)",
        ),
        (
            of_port(Port::tcp(22), Open, SynAck, true),
            "h: port 22/tcp (ssh) opened, as expected — it accepts connections (SYN-ACK)",
        ),
        (
            of_port(Port::tcp(65_535), Open, SynAck, false),
            "h: port 65535/tcp opened — it accepts connections (SYN-ACK)",
        ),
        (
            of_port(Port::tcp(443), Closed, Rst, false),
            "h: port 443/tcp (https) closed — it refuses connections (RST)",
        ),
        (
            of_port(Port::tcp(443), Filtered, IcmpUnreachable(13), false),
            "h: port 443/tcp (https) is now filtered — rejected on the way (ICMP unreachable, code 13)",
        ),
        (
            of_port(Port::udp(53), Open, UdpReply, false),
            "h: port 53/udp (domain) opened — it answers (UDP)",
        ),
        (
            of_port(Port::udp(53), Filtered, NoResponse, true),
            "h: port 53/udp (domain) is now filtered, as expected — no response to 12 probes",
        ),
        (of_host(HostState::Up, false), "h: host is up again"),
        (of_host(HostState::Down, false), "h: host is down"),
        (
            of_host(HostState::Up, true),
            "h: answers open on every port (SYN proxy or tarpit), its ports are not judged",
        ),
    ] {
        assert_eq!(sentence("h", &change), text);
    }
}

#[test]
fn what_listens_there_is_said_in_brackets() {
    let named = |text: &str, source| {
        Some(ServiceName {
            text: SafeText::new(text),
            source,
        })
    };
    let product = |text: &str| Some(SafeText::new(text));
    let ssh = Service {
        name: named("ssh", NameSource::Probe),
        product: product("OpenSSH_9.2p1"),
        ..Service::default()
    };
    let usual = Service {
        name: named("https", NameSource::Port),
        ..Service::default()
    };
    let unknown = Service {
        banner: product("\x1b[31mhi").map(|text| SafeText::new(text.as_str())),
        ..Service::default()
    };
    let long = Service {
        product: product(&"ü".repeat(64)),
        banner: None,
        ..Service::default()
    };
    let endless = Service {
        banner: Some(SafeText::new(&"ab".repeat(200))),
        ..Service::default()
    };
    for (port, service, text) in [
        (2222, ssh, " (ssh: OpenSSH_9.2p1)".to_owned()),
        (443, usual, " (https)".to_owned()),
        (65_535, unknown, " (\\x1b[31mhi)".to_owned()),
        (443, long, format!(" (https: {})", "ü".repeat(64))),
        (443, endless, format!(" (https: {}…)", "ab".repeat(40))),
        (65_535, Service::default(), String::new()),
    ] {
        let mut change = of_port(Port::tcp(port), PortState::Open, Answer::SynAck, false);
        if let Transition::Port { service: of, .. } = &mut change.transition {
            *of = Some(service);
        }
        assert_eq!(
            sentence("db1", &change),
            format!("db1: port {port}/tcp{text} opened — it accepts connections (SYN-ACK)")
        );
    }
}

#[test]
fn one_probe_is_one_probe() {
    let one = Evidence {
        answer: Answer::NoResponse,
        ttl: None,
        rtt: None,
        probes: 1,
    };
    assert_eq!(why(&one), "no response to 1 probe");
}

#[test]
fn summaries() {
    let opened = || of_port(Port::tcp(22), PortState::Open, Answer::SynAck, false);
    let closed = || of_port(Port::tcp(80), PortState::Closed, Answer::Rst, false);
    let filtered = || {
        of_port(
            Port::tcp(25),
            PortState::Filtered,
            Answer::NoResponse,
            false,
        )
    };
    let up = || of_host(HostState::Up, false);
    let suspect = || of_host(HostState::Up, true);
    for (changes, text) in [
        (
            vec![opened()],
            "www.example.org: port 22/tcp (ssh) opened — it accepts connections (SYN-ACK)",
        ),
        (
            vec![of_host(HostState::Down, false)],
            "www.example.org: host is down",
        ),
        (
            vec![opened(), opened()],
            "www.example.org: 2 changes (2 opened)",
        ),
        (
            vec![closed(), opened(), filtered(), closed()],
            "www.example.org: 4 changes (1 opened, 2 closed, 1 filtered)",
        ),
        (
            vec![up(), closed()],
            "www.example.org: 2 changes (host is up again, 1 closed)",
        ),
        (
            vec![up(), suspect()],
            "www.example.org: 2 changes (host is up again, answers open on every port)",
        ),
    ] {
        assert_eq!(summary(&told(changes)), text);
    }
    let mut nameless = told(vec![up()]);
    nameless.host_name = None;
    assert_eq!(summary(&nameless), "192.0.2.7: host is up again");
}

#[test]
fn nobody_is_told_when_the_switch_is_off() {
    let now = Timestamp::UNIX_EPOCH;
    let on = told(vec![of_host(HostState::Down, false)]);
    let off = HostChanges {
        notify: false,
        ..on.clone()
    };
    assert_eq!(Notification::of(off, now), None);
    let made = Notification::of(on.clone(), now);
    assert_eq!(made.as_ref().map(|made| made.id), Some(on.id()));
    assert_eq!(made, Notification::of(on, now), "the same again");
}

#[test]
fn each_channel_has_its_delivery_and_each_host_its_order() {
    let now = Timestamp::UNIX_EPOCH;
    let Some(made) = Notification::of(told(vec![of_host(HostState::Down, false)]), now) else {
        panic!("the switch is on");
    };
    assert_eq!(made.delivery_id("mail"), made.delivery_id("mail"));
    assert_ne!(made.delivery_id("mail"), made.delivery_id("chat"));
    assert_ne!(made.delivery_id("mail"), made.id);
    let id = made.changes.target;
    assert_eq!(made.order_key(), format!("{id} 192.0.2.7"));
}
