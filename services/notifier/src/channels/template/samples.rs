//! A notification of every kind, on which templates are tried before anything is sent.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use portwatch_domain::change::{
    About, Change, ChangeId, ChangeKind, Changes, ChannelEvent, MAX_CHANGES_TOLD, Severity,
    Transition,
};
use portwatch_domain::job::JobId;
use portwatch_domain::notification::Notification;
use portwatch_domain::ports::{Port, Protocol};
use portwatch_domain::snapshot::service::{NameSource, SafeText, Service, ServiceName};
use portwatch_domain::snapshot::{Answer, Evidence, HostState, PortState};
use portwatch_domain::target::{TargetId, TargetRef, Zone};
use uuid::Uuid;

/// An address of documentation (RFC 5737).
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

const SSH: Port = Port {
    protocol: Protocol::Tcp,
    number: 22,
};

/// The samples, each with a name: one of each kind of change, and as many changes as are ever told together.
pub(super) fn all() -> Vec<(String, Notification)> {
    let one = |transition: Transition| {
        let change = change(transition);
        (change.kind().to_string(), notification(vec![change]))
    };
    let mut samples: Vec<_> = transitions().into_iter().map(one).collect();
    let opened = change(port(PortState::Open));
    let many = vec![opened; MAX_CHANGES_TOLD];
    samples.push((format!("{MAX_CHANGES_TOLD} changes"), notification(many)));
    samples
}

fn notification(changes: Vec<Change>) -> Notification {
    let target = TargetRef {
        id: TargetId(Uuid::nil()),
        name: "sample".to_owned(),
        group: "sample".to_owned(),
        tags: vec!["sample".to_owned()],
        zone: Zone::default(),
    };
    let about = match changes.first().map(Change::kind) {
        Some(ChangeKind::TargetAddress | ChangeKind::TargetOverdue | ChangeKind::TargetScanned) => {
            About::Target(target)
        }
        Some(ChangeKind::ZoneUnattended | ChangeKind::ZoneAttended) => About::Zone(Zone::default()),
        Some(ChangeKind::ChannelOff | ChangeKind::ChannelOn | ChangeKind::ChannelTest) => {
            About::Channel("sample".to_owned())
        }
        // Once with a name, once without.
        Some(ChangeKind::PortOpened) => About::Host {
            target,
            ip: HOST,
            name: Some("www.example.org".to_owned()),
        },
        _ => About::Host {
            target,
            ip: HOST,
            name: None,
        },
    };
    Notification {
        id: Uuid::nil(),
        changes: Changes {
            about,
            notify: true,
            job: Some(JobId(Uuid::nil())),
            changes,
        },
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn change(transition: Transition) -> Change {
    Change {
        id: ChangeId(Uuid::nil()),
        severity: Severity::of(&transition),
        transition,
        quiet: false,
        at: Timestamp::UNIX_EPOCH,
    }
}

fn port(after: PortState) -> Transition {
    let open = after == PortState::Open;
    Transition::Port {
        port: SSH,
        before: if open {
            PortState::Closed
        } else {
            PortState::Open
        },
        after,
        evidence: Evidence {
            answer: if open { Answer::SynAck } else { Answer::Rst },
            ttl: Some(64),
            rtt: None,
            probes: 1,
        },
        expected: false,
        service: open.then(|| service("OpenSSH_9.2p1")),
    }
}

fn service(product: &str) -> Service {
    Service {
        name: Some(ServiceName {
            text: SafeText::new("ssh"),
            source: NameSource::Probe,
        }),
        product: Some(SafeText::new(product)),
        ..Service::default()
    }
}

fn transitions() -> Vec<Transition> {
    let host = |before, after, suspect| Transition::Host {
        before,
        after,
        suspect,
    };
    let mut all: Vec<_> = [PortState::Open, PortState::Closed, PortState::Filtered]
        .map(port)
        .into();
    all.extend([
        Transition::Service {
            port: SSH,
            before: service("OpenSSH_9.2p1"),
            after: Service::default(),
        },
        host(HostState::Down, HostState::Up, false),
        host(HostState::Up, HostState::Down, false),
        host(HostState::Up, HostState::Up, true),
        Transition::Address {
            name: "www.example.org".to_owned(),
            before: vec![HOST],
            after: vec![HOST],
        },
    ]);
    for begins in [true, false] {
        all.extend([
            Transition::PortFlapping {
                port: SSH,
                begins,
                state: PortState::Open,
            },
            Transition::HostFlapping {
                begins,
                state: HostState::Up,
            },
            Transition::Overdue {
                begins,
                scanned_at: None,
            },
            Transition::Unattended { begins },
        ]);
    }
    let off = ChannelEvent::Off {
        reason: SafeText::new("no delivery has succeeded for 5 days"),
    };
    all.extend([off, ChannelEvent::On, ChannelEvent::Test].map(Transition::Channel));
    all
}
