//! Who is told of which change, and when nobody is.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bundle;
mod condition;
mod quiet;
mod route;

use jiff::Timestamp;
use uuid::Uuid;

use crate::change::{About, Change, ChangeId, Severity, Transition};
use crate::ports::Port;
use crate::snapshot::{Answer, Evidence, HostState, PortState};
use crate::target::{TargetId, TargetRef, Zone};

fn target() -> TargetRef {
    TargetRef {
        id: TargetId(Uuid::from_u128(1)),
        name: "web-front".to_owned(),
        group: "Shop".to_owned(),
        tags: vec!["pci".to_owned(), "eu".to_owned()],
        zone: "dmz".parse::<Zone>().unwrap(),
    }
}

fn host() -> About {
    About::Host {
        target: target(),
        ip: "192.0.2.7".parse().unwrap(),
        name: Some("www.example.org".to_owned()),
    }
}

fn change(transition: Transition, severity: Severity) -> Change {
    Change {
        id: ChangeId(Uuid::nil()),
        transition,
        severity,
        quiet: false,
        at: Timestamp::UNIX_EPOCH,
    }
}

/// An unexpected port 22 that opened.
fn opened() -> Change {
    let evidence = Evidence {
        answer: Answer::SynAck,
        ttl: None,
        rtt: None,
        probes: 2,
    };
    let transition = Transition::Port {
        port: Port::tcp(22),
        before: PortState::Closed,
        after: PortState::Open,
        evidence,
        expected: false,
        service: None,
    };
    change(transition, Severity::High)
}

fn down() -> Change {
    let transition = Transition::Host {
        before: HostState::Up,
        after: HostState::Down,
        suspect: false,
    };
    change(transition, Severity::Medium)
}

fn unattended() -> (About, Change) {
    let transition = Transition::Unattended { begins: true };
    let about = About::Zone("dmz".parse().unwrap());
    (about, change(transition, Severity::High))
}
