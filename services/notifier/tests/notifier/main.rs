//! The notifier on SQLite and the in-process bus, telling a real HTTP receiver.

#![expect(clippy::unwrap_used, reason = "tests")]

mod api;
mod switching;
mod threads;
mod together;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::{SignedDuration, Timestamp};
use portwatch_bus::{Bus, Route, in_process};
use portwatch_domain::change::{About, Change, ChangeId, Changes, Severity, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{Answer, Evidence, PortState};
use portwatch_domain::target::{TargetId, TargetRef, Zone};
use portwatch_notifier::{
    ChannelSettings, Deps, Routing, Settings, Silences, WebhookSettings, channels, run,
};
use portwatch_runtime::settings::List;
use portwatch_schemas::{Meta, TraceParent, encode};
use portwatch_store::{Store, sqlite};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

const PREVIOUS: &str = "whsec_OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg=";

/// What the receiver got: headers and body of each request.
type Request = (HeaderMap, Bytes);

#[derive(Clone)]
struct Receiver {
    answers: Arc<Mutex<Vec<StatusCode>>>,
    requests: mpsc::UnboundedSender<Request>,
}

/// A receiver that gives these answers, then 200 for ever.
async fn receiver(answers: &[u16]) -> (String, mpsc::UnboundedReceiver<Request>) {
    let (requests, got) = mpsc::unbounded_channel();
    let mut answers: Vec<_> = answers
        .iter()
        .map(|&code| StatusCode::from_u16(code).unwrap())
        .collect();
    answers.reverse();
    let state = Receiver {
        answers: Arc::new(Mutex::new(answers)),
        requests,
    };
    let receive = async |State(state): State<Receiver>, headers: HeaderMap, body: Bytes| {
        state.requests.send((headers, body)).unwrap();
        let answer = state.answers.lock().unwrap().pop();
        // Whoever is too much is asked to stay away for two seconds.
        let wait =
            (answer == Some(StatusCode::TOO_MANY_REQUESTS)).then_some([("retry-after", "2")]);
        (answer.unwrap_or(StatusCode::OK), wait, ())
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().route("/", post(receive)).with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, got)
}

struct World {
    store: Store,
    bus: Bus,
    shutdown: CancellationToken,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let store = sqlite::open(&folder.path().join("test.db")).unwrap();
        Self {
            store,
            bus: in_process::new(1),
            shutdown: CancellationToken::new(),
            folder,
        }
    }

    fn start(&self, url: &str) -> tokio::task::JoinHandle<()> {
        let webhook = WebhookSettings {
            url: url.to_owned(),
            secret: SECRET.to_owned().into(),
            ..WebhookSettings::default()
        };
        self.start_with(Settings {
            webhook: Some(webhook),
            ..Settings::default()
        })
    }

    fn start_with(&self, settings: Settings) -> tokio::task::JoinHandle<()> {
        let allow = List(vec!["127.0.0.1".parse().unwrap()]);
        let settings = Settings { allow, ..settings };
        let channels = Arc::new(channels::configured(&settings).unwrap());
        let deps = Deps {
            store: self.store.clone(),
            bus: self.bus.clone(),
            routing: Arc::new(Routing::read(&settings, &channels).unwrap()),
            channels,
            silences: Silences::default(),
        };
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move { run(deps, &settings, shutdown).await.unwrap() })
    }

    async fn stop(&self, running: tokio::task::JoinHandle<()>) {
        self.shutdown.cancel();
        running.await.unwrap();
    }

    /// The same store, to start anew.
    fn again(self) -> Self {
        Self {
            bus: in_process::new(1),
            shutdown: CancellationToken::new(),
            ..self
        }
    }

    /// Waits until the attempt that is out has ended and is tried again soon, before its lease would have ended.
    async fn recorded(&self, channel: &str) {
        let channels = [channel.to_owned()];
        let mut clock = tokio::time::interval(Duration::from_millis(10));
        loop {
            clock.tick().await;
            let next = self.store.next_delivery(&channels).await.unwrap();
            let wait = next.unwrap().duration_since(Timestamp::now());
            if wait < SignedDuration::from_secs(8) {
                return;
            }
        }
    }

    async fn tell(&self, changes: &Changes) {
        let trace = TraceParent::new(7, 7);
        let meta = Meta {
            id: changes.id(),
            source: "/test".to_owned(),
            time: Timestamp::now(),
            trace,
        };
        let body = encode(&meta, changes).unwrap();
        self.bus
            .publish(&Route::Change, meta.id, body)
            .await
            .unwrap();
    }
}

/// The `run`th change of port 80.
fn changes(run: u64, notify: bool) -> Changes {
    let target = TargetId(Uuid::from_u128(1));
    let (ip, port) = (Ipv4Addr::LOCALHOST.into(), Port::tcp(80));
    let evidence = Evidence {
        answer: Answer::SynAck,
        ttl: Some(64),
        rtt: None,
        probes: 2,
    };
    let (before, after) = (PortState::Closed, PortState::Open);
    let about = About::Host {
        target: TargetRef {
            id: target,
            name: "here".to_owned(),
            group: "default".to_owned(),
            tags: Vec::new(),
            zone: Zone::default(),
        },
        ip,
        name: None,
    };
    Changes {
        about,
        notify,
        job: Some(JobId::derive(target, run, 0)),
        changes: vec![Change {
            id: ChangeId::of_port(target, ip, port, run),
            transition: Transition::Port {
                port,
                before,
                after,
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

/// The same of another host.
fn of_host(address: [u8; 4], mut changes: Changes) -> Changes {
    let host = address.into();
    if let About::Host { ip, .. } = &mut changes.about {
        *ip = host;
    }
    for change in &mut changes.changes {
        let target = TargetId(Uuid::from_u128(1));
        change.id = ChangeId::of_port(target, host, Port::tcp(80), 1);
    }
    changes
}

async fn next(got: &mut mpsc::UnboundedReceiver<Request>) -> (String, serde_json::Value) {
    let (headers, body) = tokio::time::timeout(Duration::from_secs(30), got.recv())
        .await
        .unwrap()
        .unwrap();
    standardwebhooks::Webhook::new(SECRET)
        .unwrap()
        .verify(&body, &headers)
        .unwrap();
    let trace = headers["traceparent"].to_str().unwrap();
    assert!(
        trace.contains("00000000000000000000000000000007"),
        "the scan's trace goes on: {trace}"
    );
    (
        headers["webhook-id"].to_str().unwrap().to_owned(),
        serde_json::from_slice(&body).unwrap(),
    )
}

#[tokio::test]
async fn a_change_that_comes_twice_is_sent_once() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let running = world.start(&url);
    world.tell(&changes(1, true)).await;
    world.tell(&changes(1, true)).await;
    world.tell(&changes(2, false)).await;
    world.tell(&changes(3, true)).await;
    let (first, body) = next(&mut got).await;
    assert_eq!(body["changes"][0]["kind"], "port.opened");
    let (second, _) = next(&mut got).await;
    assert_ne!(first, second);
    world.shutdown.cancel();
    running.await.unwrap();
    assert!(
        got.try_recv().is_err(),
        "neither the repetition nor what is muted was sent"
    );
}

#[tokio::test]
async fn a_failure_is_tried_again_under_the_same_id_and_later_ones_wait() {
    let (url, mut got) = receiver(&[503]).await;
    let world = World::new();
    let running = world.start(&url);
    world.tell(&changes(1, true)).await;
    world.tell(&changes(2, true)).await;
    let (refused, _) = next(&mut got).await;
    let (again, _) = next(&mut got).await;
    assert_eq!(refused, again, "the second waits for the first");
    let (second, _) = next(&mut got).await;
    assert_ne!(second, again);
    world.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_is_not_delivered_survives_a_restart() {
    let world = World::new();
    // Nobody listens on port 9 of this machine.
    let running = world.start("http://127.0.0.1:9/");
    world.tell(&changes(1, true)).await;
    world.shutdown.cancel();
    running.await.unwrap();
    let World { store, folder, .. } = world;
    assert_eq!(store.count_deliveries().await.unwrap().pending, 1);
    drop(store);
    let reopened = sqlite::open(&folder.path().join("test.db")).unwrap();
    assert_eq!(reopened.count_deliveries().await.unwrap().pending, 1);
}

#[tokio::test]
async fn a_destination_that_hangs_does_not_hold_up_the_others() {
    // It takes connections and never answers.
    let silent = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let hanging = ChannelSettings {
        name: "hanging".to_owned(),
        kind: "mattermost".to_owned(),
        group_wait: Some(SignedDuration::ZERO),
        url: format!("http://{}/", silent.local_addr().unwrap()).into(),
        ..ChannelSettings::default()
    };
    let running = world.start_with(Settings {
        attempts_at_once: 1,
        webhook: Some(WebhookSettings {
            url,
            secret: SECRET.to_owned().into(),
            ..WebhookSettings::default()
        }),
        channels: vec![hanging],
        ..Settings::default()
    });
    world.tell(&changes(1, true)).await;
    next(&mut got).await;
    let held = silent.accept().await.unwrap();
    for run in 2..20 {
        world.tell(&changes(run, true)).await;
        next(&mut got).await;
    }
    assert_eq!(world.store.count_deliveries().await.unwrap().given_up, 0);
    // The attempt in hand ends with its connection.
    drop((held, silent));
    world.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn while_secrets_change_receivers_of_both_accept_it() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let running = world.start_with(Settings {
        webhook: Some(WebhookSettings {
            url,
            secret: SECRET.to_owned().into(),
            previous_secret: PREVIOUS.to_owned().into(),
            body: "cloudevents".to_owned(),
            ..WebhookSettings::default()
        }),
        ..Settings::default()
    });
    let told = changes(1, true);
    world.tell(&told).await;
    let (headers, body) = got.recv().await.unwrap();
    for secret in [SECRET, PREVIOUS] {
        let verifier = standardwebhooks::Webhook::new(secret).unwrap();
        verifier.verify(&body, &headers).unwrap();
        assert!(verifier.verify(b"{}", &headers).is_err());
    }
    let signatures = headers["webhook-signature"].to_str().unwrap();
    assert_eq!(signatures.split(' ').count(), 2, "{signatures}");

    assert_eq!(headers["content-type"], "application/cloudevents+json");
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
    for (attribute, value) in [
        ("specversion", "1.0"),
        ("type", "io.portwatch.notification.v1"),
        ("source", "/portwatch/notifier"),
        ("datacontenttype", "application/json"),
        ("id", &told.id().to_string()),
    ] {
        assert_eq!(event[attribute], value, "{attribute}");
    }
    assert!(!event["subject"].as_str().unwrap().is_empty());
    event["time"]
        .as_str()
        .unwrap()
        .parse::<Timestamp>()
        .unwrap();
    assert_eq!(event["data"]["changes"][0]["kind"], "port.opened");
    world.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_asks_for_rest_gets_it_from_the_whole_channel() {
    let (url, mut got) = receiver(&[429]).await;
    let world = World::new();
    let running = world.start(&url);
    world.tell(&changes(1, true)).await;
    let (limited, _) = next(&mut got).await;
    let asked = Instant::now();
    world.recorded("webhook").await;
    // Another host, whose delivery waits for no other.
    world.tell(&of_host([127, 0, 0, 2], changes(2, true))).await;
    let (other, _) = next(&mut got).await;
    assert!(asked.elapsed() > Duration::from_millis(1900));
    assert_ne!(other, limited);
    let (again, _) = next(&mut got).await;
    assert_eq!(again, limited);
    world.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_burst_waits_in_the_store() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let slow = ChannelSettings {
        name: "slow".to_owned(),
        kind: "webhook".to_owned(),
        url: url.into(),
        secret: SECRET.to_owned().into(),
        per_minute: Some(60),
        ..ChannelSettings::default()
    };
    let running = world.start_with(Settings {
        channels: vec![slow],
        ..Settings::default()
    });
    for host in 1..=8 {
        let changes = of_host([127, 0, 0, host], changes(1, true));
        world.tell(&changes).await;
    }
    let started = Instant::now();
    for _ in 0..8 {
        next(&mut got).await;
    }
    // Six at once, and one more for each 1.1 s.
    let took = started.elapsed();
    assert!(took > Duration::from_secs(2), "{took:?}");
    assert_eq!(world.store.count_deliveries().await.unwrap().given_up, 0);
    world.shutdown.cancel();
    running.await.unwrap();
}
