//! What people read.

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::change::{About, ChangeId, Severity};
use crate::job::JobId;
use crate::notification::Notification;
use crate::ports::Port;
use crate::snapshot::service::{Certificate, NameSource, SafeText, ServiceName, Tls};
use crate::target::{TargetId, TargetRef, Zone};

fn change(transition: Transition) -> Change {
    Change {
        id: ChangeId(Uuid::nil()),
        transition,
        severity: Severity::Info,
        quiet: false,
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
        before: HostState::Down,
        after,
        suspect,
    })
}

fn web() -> TargetRef {
    TargetRef {
        id: TargetId(Uuid::from_u128(1)),
        name: "web".to_owned(),
        group: "default".to_owned(),
        tags: Vec::new(),
        zone: Zone::default(),
    }
}

fn about(about: About, changes: Vec<Change>) -> Changes {
    Changes {
        about,
        notify: true,
        job: Some(JobId(Uuid::from_u128(2))),
        changes,
    }
}

fn told(changes: Vec<Change>) -> Changes {
    let host = About::Host {
        target: web(),
        ip: IpAddr::from([192, 0, 2, 7]),
        name: Some("www.example.org".to_owned()),
    };
    about(host, changes)
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
fn the_baseline_is_no_change() {
    let mut open = of_port(Port::tcp(22), PortState::Open, Answer::SynAck, false);
    if let Transition::Port { before, .. } = &mut open.transition {
        *before = PortState::Unknown;
    }
    let text = sentence("h", &open);
    assert!(
        text.starts_with("h: port 22/tcp (ssh) is open — "),
        "{text}"
    );
    let mut up = of_host(HostState::Up, false);
    if let Transition::Host { before, .. } = &mut up.transition {
        *before = HostState::Unknown;
    }
    assert_eq!(sentence("h", &up), "h: host is up");
}

fn named(name: &str, product: &str) -> Service {
    Service {
        name: Some(ServiceName {
            text: SafeText::new(name),
            source: NameSource::Probe,
        }),
        product: (!product.is_empty()).then(|| SafeText::new(product)),
        ..Service::default()
    }
}

#[test]
fn sentences_about_flapping() {
    let port = |port, begins, state| {
        change(Transition::PortFlapping {
            port,
            begins,
            state,
        })
    };
    let host = |begins, state| change(Transition::HostFlapping { begins, state });
    for (change, text) in [
        (
            port(Port::tcp(22), true, PortState::Closed),
            "h: port 22/tcp (ssh) is flapping, now closed; its changes are not told until it is steady",
        ),
        (
            port(Port::udp(65_535), false, PortState::Open),
            "h: port 65535/udp is steady again: open",
        ),
        (
            host(true, HostState::Down),
            "h: host is flapping, now down; its changes are not told until it is steady",
        ),
        (host(false, HostState::Up), "h: host is steady again: up"),
    ] {
        assert_eq!(sentence("h", &change), text);
    }
}

#[test]
fn sentences_about_another_service() {
    let banner = |text: &str| Service {
        banner: Some(SafeText::new(text)),
        ..Service::default()
    };
    let long = "ab".repeat(200);
    for (before, after, text) in [
        (
            named("ssh", "OpenSSH_9.2p1"),
            named("ssh", "OpenSSH_9.6p1"),
            "ssh (OpenSSH_9.6p1), before as ssh (OpenSSH_9.2p1)".to_owned(),
        ),
        (
            named("http", ""),
            named("https", ""),
            "https, before as http".to_owned(),
        ),
        (
            Service::default(),
            banner("hello"),
            "hello, before as an unknown service".to_owned(),
        ),
        (
            banner(&long),
            named("ftp", &long),
            format!(
                "ftp ({0}…), before as {1}…",
                "ab".repeat(40),
                "ab".repeat(40)
            ),
        ),
    ] {
        let change = change(Transition::Service {
            port: Port::tcp(22),
            before,
            after,
        });
        assert_eq!(
            sentence("h", &change),
            format!("h: port 22/tcp now answers as {text}")
        );
    }
}

#[test]
fn what_is_called_the_same_may_still_be_another() {
    let with_certificate = |sha256| Service {
        tls: Some(Box::new(Tls {
            version: None,
            alpn: None,
            refused: None,
            certificate: Some(Certificate {
                subject: SafeText::new("CN=web"),
                issuer: SafeText::new("CN=web"),
                names: Vec::new(),
                not_before: Timestamp::UNIX_EPOCH,
                not_after: Timestamp::UNIX_EPOCH,
                sha256,
            }),
        })),
        ..named("https", "nginx")
    };
    for (before, after, text) in [
        (
            with_certificate([1; 32]),
            with_certificate([2; 32]),
            "h: port 443/tcp still answers as https (nginx), but with another certificate",
        ),
        (
            named("http", "a"),
            named("http", "a"),
            "h: port 443/tcp still answers as http (a), but is another server",
        ),
    ] {
        let change = change(Transition::Service {
            port: Port::tcp(443),
            before,
            after,
        });
        assert_eq!(sentence("h", &change), text);
    }
}

#[test]
fn sentences_about_targets_and_zones() {
    let ips = |count: u8| -> Vec<IpAddr> { (1..=count).map(|n| [192, 0, 2, n].into()).collect() };
    let address = |before, after| {
        change(Transition::Address {
            name: "www.example.org".to_owned(),
            before: ips(before),
            after: ips(after),
        })
    };
    let overdue = |begins, scanned_at| change(Transition::Overdue { begins, scanned_at });
    let since = Timestamp::new(1_772_366_400, 5_000_000).ok();
    for (change, text) in [
        (
            address(1, 2),
            "web: www.example.org now resolves to 192.0.2.1, 192.0.2.2, before to 192.0.2.1",
        ),
        (
            address(4, 200),
            "web: www.example.org now resolves to 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 and 196 more, \
             before to 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4",
        ),
        (
            overdue(true, since),
            "web: overdue, not scanned since 2026-03-01T12:00:00Z",
        ),
        (overdue(true, None), "web: overdue, never scanned yet"),
        (
            overdue(false, since),
            "web: scanned again, no longer overdue",
        ),
    ] {
        assert_eq!(sentence("web", &change), text);
        assert_eq!(
            summary(&about(About::Target(web()), vec![change.clone()])),
            text
        );
    }
    for (begins, text) in [
        (true, "zone default: no scanner does its jobs"),
        (false, "zone default: its jobs are done again"),
    ] {
        let change = change(Transition::Unattended { begins });
        let zone = About::Zone(Zone::default());
        assert_eq!(summary(&about(zone, vec![change])), text);
    }
}

#[test]
fn what_listens_there_is_said_in_brackets() {
    let name = |text: &str, source| {
        Some(ServiceName {
            text: SafeText::new(text),
            source,
        })
    };
    let product = |text: &str| Some(SafeText::new(text));
    let ssh = Service {
        name: name("ssh", NameSource::Probe),
        product: product("OpenSSH_9.2p1"),
        ..Service::default()
    };
    let usual = Service {
        name: name("https", NameSource::Port),
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
}

#[test]
fn a_host_without_a_name_is_its_address() {
    let nameless = about(
        About::Host {
            target: web(),
            ip: IpAddr::from([192, 0, 2, 7]),
            name: None,
        },
        vec![of_host(HostState::Up, false)],
    );
    assert_eq!(summary(&nameless), "192.0.2.7: host is up again");
}

#[test]
fn a_summary_of_what_is_neither_opened_nor_closed() {
    let changes = vec![
        change(Transition::HostFlapping {
            begins: true,
            state: HostState::Up,
        }),
        change(Transition::PortFlapping {
            port: Port::tcp(22),
            begins: true,
            state: PortState::Open,
        }),
        change(Transition::PortFlapping {
            port: Port::tcp(23),
            begins: false,
            state: PortState::Open,
        }),
        change(Transition::Service {
            port: Port::tcp(80),
            before: Service::default(),
            after: named("http", ""),
        }),
    ];
    assert_eq!(
        summary(&told(changes)),
        "www.example.org: 4 changes (host is flapping, 1 flapping, 1 steady again, 1 with another service)"
    );
}

#[test]
fn nobody_is_told_when_the_switch_is_off() {
    let now = Timestamp::UNIX_EPOCH;
    let on = told(vec![of_host(HostState::Down, false)]);
    let off = Changes {
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
    assert_eq!(made.order_key(), format!("{} 192.0.2.7", web().id));
}
