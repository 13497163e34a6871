//! What is encoded decodes to the same, and is valid by its schema.

use jiff::Timestamp;
use portwatch_domain::change::{
    About, Change, ChangeId, Changes, MAX_CHANGES_TOLD, Severity, Transition, told_together,
};
use portwatch_domain::job::JobId;
use portwatch_domain::notification::{Content, Notification};
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::service::{
    Certificate, Http, MAX_CERTIFICATE_NAMES, NameSource, SafeText, Service, ServiceName, Tls,
};
use portwatch_domain::snapshot::{Answer, Evidence, PortState};
use portwatch_domain::target::{TargetId, TargetRef, Zone};
use portwatch_schemas::{
    EncodeError, MAX_MESSAGE_BYTES, Message, Meta, TraceParent, content_body, decode,
    decode_content, encode, notification_body,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::arbitrary;
use crate::schemas::{self, complaints};

fn returns<M: Message + PartialEq + std::fmt::Debug>(
    meta: &Meta,
    message: &M,
) -> Result<(), TestCaseError> {
    let bytes = encode(meta, message).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(bytes.len() <= MAX_MESSAGE_BYTES);
    let json = serde_json::from_slice(&bytes).expect("JSON");
    prop_assert_eq!(complaints(&schemas::MESSAGE, &json), Vec::<String>::new());
    let (meta_again, again) =
        decode::<M>(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(meta, &meta_again);
    prop_assert_eq!(message, &again);
    Ok(())
}

proptest! {
    #[test]
    fn a_job_returns(meta in arbitrary::meta(), job in arbitrary::job()) {
        returns(&meta, &job)?;
    }

    #[test]
    fn a_snapshot_returns(meta in arbitrary::meta(), snapshot in arbitrary::snapshot()) {
        returns(&meta, &snapshot)?;
    }

    #[test]
    fn a_change_returns(meta in arbitrary::meta(), changes in arbitrary::changes()) {
        returns(&meta, &changes)?;
    }

    #[test]
    fn a_progress_returns(meta in arbitrary::meta(), progress in arbitrary::progress()) {
        returns(&meta, &progress)?;
    }

    #[test]
    fn a_notification_returns(
        meta in arbitrary::meta(),
        notification in arbitrary::notification(),
    ) {
        returns(&meta, &notification)?;
        let message = encode(&meta, &notification).expect("encoded above");
        let message: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
        let body = notification_body(&notification).expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        prop_assert_eq!(&message["data"], &body);
        prop_assert_eq!(complaints(&schemas::BODY, &body), Vec::<String>::new());
    }

    #[test]
    fn a_summary_returns(meta in arbitrary::meta(), summary in arbitrary::summary()) {
        returns(&meta, &summary)?;
        let message = encode(&meta, &summary).expect("encoded above");
        let (_, content) = decode_content(&message).expect("decoded above");
        prop_assert_eq!(&content, &Content::Summary(summary));
        let message: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
        let body = content_body(&content).expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        prop_assert_eq!(&message["data"], &body);
    }
}

/// Texts of full length, of characters that JSON has to escape.
fn long_service() -> Service {
    fn full<const MAX: usize>() -> SafeText<MAX> {
        SafeText::new(&"\"".repeat(MAX))
    }
    Service {
        name: Some(ServiceName {
            text: full(),
            source: NameSource::Probe,
        }),
        product: Some(full()),
        banner: Some(full()),
        http: Some(Box::new(Http {
            status: 999,
            server: Some(full()),
            title: Some(full()),
        })),
        tls: Some(Box::new(Tls {
            version: Some(full()),
            alpn: Some(full()),
            certificate: Some(Certificate {
                subject: full(),
                issuer: full(),
                names: vec![full(); MAX_CERTIFICATE_NAMES],
                not_before: Timestamp::MIN,
                not_after: Timestamp::MAX,
                sha256: [0xff; 32],
            }),
            refused: Some(full()),
        })),
    }
}

/// Services of which ever more is said, the last with nothing left out.
fn ever_longer_services() -> Vec<Option<Service>> {
    let full = long_service();
    let named = Service {
        name: full.name.clone(),
        ..Service::default()
    };
    let banner = Service {
        banner: full.banner.clone(),
        ..named.clone()
    };
    vec![
        None,
        Some(Service::default()),
        Some(named),
        Some(full.in_short()),
        Some(banner),
        Some(full),
    ]
}

/// A port that opened, with the longest of everything.
fn opened(port: Port, service: Option<&Service>) -> Transition {
    Transition::Port {
        port,
        before: PortState::Filtered,
        after: PortState::Open,
        evidence: Evidence {
            answer: Answer::IcmpUnreachable(u8::MAX),
            ttl: Some(u8::MAX),
            rtt: Some(std::time::Duration::from_hours(1)),
            probes: u16::MAX,
        },
        expected: false,
        service: service.cloned(),
    }
}

/// Another service on a port, with as much said of both.
fn replaced(port: Port, service: Option<&Service>) -> Transition {
    Transition::Service {
        port,
        before: service.cloned().unwrap_or_default(),
        after: service.cloned().unwrap_or_default(),
    }
}

/// Changes of as many ports of a host with the longest name.
fn long_changes(count: usize, transition: impl Fn(Port) -> Transition) -> Notification {
    let at = Timestamp::MAX;
    let change = |number: usize| Change {
        id: ChangeId(Uuid::max()),
        transition: transition(Port::tcp(u16::try_from(number).expect("a port"))),
        severity: Severity::Medium,
        quiet: true,
        at,
    };
    let name = "x".repeat(253);
    let target = TargetRef {
        id: TargetId(Uuid::max()),
        name: name.clone(),
        group: name.clone(),
        tags: vec![name.clone(); 16],
        zone: "z".repeat(32).parse::<Zone>().expect("a zone"),
    };
    let changes = Changes {
        about: About::Host {
            target,
            ip: std::net::Ipv6Addr::from_bits(u128::MAX).into(),
            name: Some(name),
        },
        notify: true,
        job: Some(JobId(Uuid::max())),
        changes: (0..count).map(|n| change(65_535 - n)).collect(),
    };
    Notification {
        id: changes.id(),
        changes,
        created_at: at,
    }
}

fn some_meta() -> Meta {
    Meta {
        id: Uuid::max(),
        source: "/portwatch/notifier".to_owned(),
        time: Timestamp::MAX,
        trace: TraceParent::new(u128::MAX, u64::MAX),
    }
}

#[test]
fn as_many_changes_as_are_told_at_once_fit_a_message() {
    for service in ever_longer_services() {
        for transition in [opened, replaced] {
            let all = long_changes(MAX_CHANGES_TOLD + 50, |port| {
                transition(port, service.as_ref())
            });
            let mut told = 0;
            for changes in told_together(&all.changes.changes) {
                told += changes.len();
                let mut notification = all.clone();
                notification.changes.changes = changes.to_vec();
                encode(&some_meta(), &notification.changes).expect("the change fits");
                encode(&some_meta(), &notification).expect("the notification fits");
            }
            assert_eq!(told, MAX_CHANGES_TOLD + 50, "each is told once");
        }
    }
}

#[test]
fn a_message_that_is_too_large_is_not_made() {
    let all = long_changes(5_000, |port| opened(port, None));
    let error = encode(&some_meta(), &all).expect_err("too large");
    assert!(matches!(error, EncodeError::TooLarge { bytes, .. } if bytes > MAX_MESSAGE_BYTES));
    let says = error.to_string();
    assert!(says.starts_with("the io.portwatch.notification.v1 message is too large: "));
}
