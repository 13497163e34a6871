//! Changes of many hosts, and a notifier that tells them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use portwatch_bus::{Bus, in_process};
use portwatch_domain::change::{About, Change, ChangeId, Changes, Severity, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::notification::Notification;
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{Answer, Evidence, PortState};
use portwatch_domain::target::{TargetId, TargetRef, Zone};
use portwatch_notifier::{
    ChannelSettings, Deps, Routing, Settings, Silences, WebhookSettings, channels, run,
};
use portwatch_runtime::settings::List;
use portwatch_schemas::{Meta, TraceParent, encode, notification_body};
use portwatch_store::Store;
use portwatch_store::notifications::{NewDelivery, NewNotification};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

pub struct World {
    pub bus: Bus,
    store: Store,
    shutdown: CancellationToken,
}

impl World {
    pub fn new(store: Store) -> Self {
        Self {
            bus: in_process::new(1),
            store,
            shutdown: CancellationToken::new(),
        }
    }

    /// A notifier with a webhook to this receiver, and perhaps a channel to somebody else.
    pub fn start(&self, url: &str, other: Option<String>) -> JoinHandle<()> {
        let other = other.map(|url| ChannelSettings {
            name: "other".to_owned(),
            kind: "mattermost".to_owned(),
            url: url.into(),
            // Each change is attempted, and hangs.
            group_wait: Some(SignedDuration::ZERO),
            group_interval: Some(SignedDuration::ZERO),
            ..ChannelSettings::default()
        });
        let settings = Settings {
            allow: List(vec!["127.0.0.1".parse().unwrap()]),
            webhook: Some(WebhookSettings {
                url: url.to_owned(),
                secret: SECRET.to_owned().into(),
                ..WebhookSettings::default()
            }),
            channels: other.into_iter().collect(),
            ..Settings::default()
        };
        let channels = channels::configured(&settings).unwrap();
        let deps = Deps {
            store: self.store.clone(),
            bus: self.bus.clone(),
            routing: Arc::new(Routing::read(&settings, &channels).unwrap()),
            channels: Arc::new(channels),
            silences: Silences::default(),
        };
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move { run(deps, &settings, shutdown).await.unwrap() })
    }

    pub async fn stop(&self, running: JoinHandle<()>) {
        self.shutdown.cancel();
        running.await.unwrap();
    }
}

pub fn meta(id: Uuid) -> Meta {
    Meta {
        id,
        source: "/bench".to_owned(),
        time: Timestamp::now(),
        trace: TraceParent::new(7, 7),
    }
}

/// A webhook's body.
pub fn body(number: u32) -> Vec<u8> {
    let notification = Notification::of(changes(number), Timestamp::now());
    notification_body(&notification.unwrap()).unwrap()
}

/// What the notifier saves of a change.
pub fn notification(number: u32, channels: &[&str]) -> NewNotification {
    let notification = Notification::of(changes(number), Timestamp::now()).unwrap();
    let deliveries = channels.iter().map(|channel| NewDelivery {
        id: notification.delivery_id(channel),
        channel: (*channel).to_owned(),
    });
    NewNotification {
        id: notification.id,
        created_at: notification.created_at,
        body: encode(&meta(notification.id), &notification).unwrap(),
        order_key: notification.order_key(),
        deliveries: deliveries.collect(),
        held: Vec::new(),
        problems: Vec::new(),
    }
}

/// A port of the host with this number has opened.
pub fn changes(number: u32) -> Changes {
    let target = TargetId(Uuid::from_u128(1));
    let ip = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number).into();
    let port = Port::tcp(80);
    let evidence = Evidence {
        answer: Answer::SynAck,
        ttl: Some(64),
        rtt: None,
        probes: 2,
    };
    let about = About::Host {
        target: TargetRef {
            id: target,
            name: "bench".to_owned(),
            group: "default".to_owned(),
            tags: Vec::new(),
            zone: Zone::default(),
        },
        ip,
        name: None,
    };
    Changes {
        about,
        notify: true,
        job: Some(JobId::derive(target, 1, 0)),
        changes: vec![Change {
            id: ChangeId::of_port(target, ip, port, 1),
            transition: Transition::Port {
                port,
                before: PortState::Closed,
                after: PortState::Open,
                evidence,
                expected: false,
                service: None,
            },
            severity: Severity::High,
            quiet: false,
            at: Timestamp::now(),
        }],
    }
}
