//! Messages that answer earlier ones.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use jiff::SignedDuration;
use portwatch_notifier::{ChannelSettings, Settings};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{World, changes, of_host};

#[derive(Clone)]
struct Slack {
    count: Arc<AtomicU32>,
    got: mpsc::UnboundedSender<Value>,
}

/// It numbers what it takes, as Slack does.
async fn take(State(slack): State<Slack>, body: Bytes) -> String {
    slack
        .got
        .send(serde_json::from_slice(&body).unwrap())
        .unwrap();
    let number = slack.count.fetch_add(1, Ordering::SeqCst) + 1;
    json!({ "ok": true, "channel": "C1", "ts": format!("1767225600.00000{number}") }).to_string()
}

async fn slack() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (sender, got) = mpsc::unbounded_channel();
    let state = Slack {
        count: Arc::default(),
        got: sender,
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.await.unwrap();
    let url = format!(
        "http://{}/api/chat.postMessage",
        listener.local_addr().unwrap()
    );
    let app = Router::new().route("/api/chat.postMessage", post(take));
    let app = app.with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, got)
}

/// Which message the next one answers.
async fn answers(got: &mut mpsc::UnboundedReceiver<Value>) -> Option<String> {
    let got = tokio::time::timeout(Duration::from_secs(30), got.recv());
    let body = got.await.unwrap().unwrap();
    let thread = body["thread_ts"].as_str().map(str::to_owned);
    // What matters most is seen in the channel too.
    assert_eq!(
        body["reply_broadcast"].as_bool(),
        thread.as_ref().map(|_| true)
    );
    thread
}

#[tokio::test]
async fn what_follows_about_a_host_answers_the_first_message() {
    let (url, mut got) = slack().await;
    let world = World::new();
    let running = world.start_with(Settings {
        channels: vec![ChannelSettings {
            name: "chat".to_owned(),
            kind: "slack".to_owned(),
            url: url.into(),
            token: "xoxb-1".to_owned().into(),
            to: "C1".to_owned(),
            group_wait: Some(SignedDuration::ZERO),
            group_interval: Some(SignedDuration::ZERO),
            ..ChannelSettings::default()
        }],
        ..Settings::default()
    });
    world.tell(&changes(1, true)).await;
    assert_eq!(answers(&mut got).await, None);
    for run in [2, 3] {
        world.tell(&changes(run, true)).await;
        let first = answers(&mut got).await;
        assert_eq!(first.as_deref(), Some("1767225600.000001"));
    }
    world.tell(&of_host([127, 0, 0, 2], changes(1, true))).await;
    assert_eq!(answers(&mut got).await, None, "another host");
    world.stop(running).await;
}
