//! A real Alertmanager: what begins fires there, what ends is resolved, and whoever it tells is told so.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use jiff::{Span, Timestamp};
use portwatch_domain::change::{Severity, Transition};
use portwatch_domain::notification::Notification;
use portwatch_domain::snapshot::PortState;
use portwatch_runtime::settings::List;
use portwatch_schemas::{TraceParent, decode};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::channels::{Channel, Message, configured};
use crate::settings::Settings;
use crate::skipped::skip;

/// Debian's name of it.
const PROGRAM: &str = "prometheus-alertmanager";

/// One that tells a webhook at once, on a free port, without neighbours.
struct Alertmanager {
    url: String,
    _child: Child,
    _said: Lines<BufReader<ChildStderr>>,
    _folder: TempDir,
}

impl Alertmanager {
    /// `None` if this machine has none.
    async fn start(webhook: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let config = json!({
            "route": {
                "receiver": "test",
                "group_by": ["..."],
                "group_wait": "0s",
                "group_interval": "1s",
            },
            "receivers": [{"name": "test", "webhook_configs": [{"url": webhook}]}],
        });
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--cluster.listen-address=")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = said.next_line().await.unwrap();
            let line = line.expect("Alertmanager ended");
            if line.contains("Listening on") {
                break line.split("address=").nth(1).unwrap().to_owned();
            }
        };
        Some(Self {
            url: format!("http://{address}"),
            _child: child,
            _said: said,
            _folder: folder,
        })
    }

    /// What it holds to be wrong now.
    async fn firing(&self) -> Value {
        let answer = reqwest::get(format!("{}/api/v2/alerts", self.url)).await;
        let body = answer.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

/// A webhook, and what it is told.
async fn webhook() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (told, got) = mpsc::unbounded_channel();
    let take = async |State(told): State<mpsc::UnboundedSender<Value>>, body: axum::body::Bytes| {
        told.send(serde_json::from_slice(&body).unwrap()).unwrap();
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().route("/", post(take)).with_state(told);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, got)
}

fn message(state: PortState, at: Timestamp) -> Message {
    let file = "../../schemas/examples/notification.v1.port-opened.json";
    let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let mut notification = decode::<Notification>(&body).unwrap().1;
    let change = &mut notification.changes.changes[0];
    change.at = at;
    if let Transition::Port { before, after, .. } = &mut change.transition {
        (*before, *after) = (*after, state);
    }
    // Closed, it is as it should be again.
    change.severity = match state {
        PortState::Open => Severity::High,
        _ => Severity::Info,
    };
    Message {
        delivery: Uuid::from_u128(1),
        at: Timestamp::now(),
        trace: TraceParent::new(7, 7),
        content: Content::Changes(notification),
        thread: None,
    }
}

fn channel(url: &str) -> Channel {
    let settings = Settings {
        allow: List(vec!["127.0.0.1".parse().unwrap()]),
        channels: vec![ChannelSettings {
            name: "alerts".to_owned(),
            kind: "alertmanager".to_owned(),
            url: url.to_owned().into(),
            ..ChannelSettings::default()
        }],
        ..Settings::default()
    };
    configured(&settings).unwrap().remove(0)
}

#[tokio::test]
async fn a_port_that_opens_fires_and_resolves_when_it_closes() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, mut told) = webhook().await;
    let Some(alertmanager) = Alertmanager::start(&url).await else {
        return skip("a real Alertmanager", &format!("needs Debian's {PROGRAM}"));
    };
    let channel = channel(&alertmanager.url);
    let opened_at = Timestamp::now() - Span::new().minutes(5);

    // Sent twice, as after a crash: it is one alert.
    for _ in 0..2 {
        let opened = message(PortState::Open, opened_at);
        assert_eq!(channel.send(opened).await.unwrap().status, Some(200));
    }
    let firing = told.recv().await.unwrap();
    assert_eq!(firing["status"], "firing");
    assert_eq!(firing["alerts"].as_array().unwrap().len(), 1);
    let alert = &firing["alerts"][0];
    assert_eq!(alert["labels"]["alertname"], "PortwatchPortOpen");
    assert_eq!(alert["annotations"]["event"], "port.opened");
    let held = alertmanager.firing().await;
    assert_eq!(held.as_array().unwrap().len(), 1, "{held}");
    assert_eq!(held[0]["labels"], alert["labels"]);
    assert_eq!(held[0]["status"]["state"], "active");

    let closed = message(PortState::Closed, Timestamp::now());
    assert_eq!(channel.send(closed).await.unwrap().status, Some(200));
    assert_eq!(alertmanager.firing().await, json!([]));
    let resolved = told.recv().await.unwrap();
    assert_eq!(resolved["status"], "resolved");
    assert_eq!(resolved["alerts"][0]["fingerprint"], alert["fingerprint"]);
    assert_eq!(resolved["alerts"][0]["startsAt"], alert["startsAt"]);
}
