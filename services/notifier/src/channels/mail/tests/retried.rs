//! A mail that is greylisted, with all of the notifier.

use jiff::SignedDuration;
use portwatch_bus::{Route, in_process};
use portwatch_domain::change::Changes;
use portwatch_domain::notification::Notification;
use portwatch_schemas::decode;
use portwatch_store::sqlite;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::channels::configured;
use crate::{Deps, Routing, Settings, Silences, run};

#[tokio::test]
async fn what_is_greylisted_arrives_at_the_next_attempt() {
    let Some(mut server) = SmtpServer::start("mail that is greylisted", Mode::StartTls).await
    else {
        return;
    };
    let settings = Settings {
        channels: vec![settings(&server.url(), &server.ca, "grey@example.net")],
        group_wait: SignedDuration::ZERO,
        allow: loopback(),
        ..Settings::default()
    };
    let folder = TempDir::new().unwrap();
    let shutdown = CancellationToken::new();
    let channels = configured(&settings).unwrap();
    let deps = Deps {
        store: sqlite::open(&folder.path().join("test.db")).unwrap(),
        bus: in_process::new(1),
        routing: Arc::new(Routing::read(&settings, &channels).unwrap()),
        channels: Arc::new(channels),
        silences: Silences::default(),
    };
    let bus = deps.bus.clone();
    let stop = shutdown.clone();
    let notifier = tokio::spawn(async move { run(deps, &settings, stop).await.unwrap() });
    let file = "../../schemas/examples/change.v1.port-opened.json";
    let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (meta, changes) = decode::<Changes>(&body).unwrap();
    bus.publish(&Route::Change, meta.id, body).await.unwrap();

    let mail = server.next().await;
    assert_eq!(mail["to"], serde_json::json!(["grey@example.net"]));
    let notification = Notification::of(changes, Timestamp::now()).unwrap();
    let id = notification.delivery_id("mail");
    assert_eq!(mail["headers"]["message-id"], format!("<{id}@example.org>"));
    shutdown.cancel();
    notifier.await.unwrap();
}
