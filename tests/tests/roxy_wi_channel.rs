//! The channel `roxy-wi` against a real RabbitMQ, which Roxy-WI of either version has prepared: what comes out is what
//! its socket service would read.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use portwatch_tests::{Listener, Portwatch, Servers, free_port, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Roxy-WI's side of the broker.
struct Panel {
    channel: Channel,
    _connection: Connection,
}

impl Panel {
    async fn open(broker: &str) -> Self {
        let connection = Connection::connect(broker, ConnectionProperties::default())
            .await
            .unwrap();
        Self {
            channel: connection.create_channel().await.unwrap(),
            _connection: connection,
        }
    }

    async fn declare(&self, queue: &str) {
        let (options, none) = (QueueDeclareOptions::default(), FieldTable::default());
        self.channel
            .queue_declare(queue.into(), options, none)
            .await
            .unwrap();
    }

    /// As newer versions do.
    async fn declare_exchange(&self, name: &str, queue: &str) {
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let kind = ExchangeKind::Topic;
        let declared =
            self.channel
                .exchange_declare(name.into(), kind, durable, FieldTable::default());
        declared.await.unwrap();
        self.declare(queue).await;
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        let bound =
            self.channel
                .queue_bind(queue.into(), name.into(), "group.*".into(), options, none);
        bound.await.unwrap();
    }

    async fn next(&self, queue: &str) -> (Delivery, Value) {
        let message = until("a message for the panel", || async {
            let options = BasicGetOptions { no_ack: true };
            let got = self.channel.basic_get(queue.into(), options).await.unwrap();
            got.map(|got| got.delivery)
        })
        .await;
        let body = serde_json::from_slice(&message.data).unwrap();
        (message, body)
    }
}

/// `portwatch up` that watches a port, and tells the panel at this address.
async fn up(folder: &TempDir, broker: &str, port: u16) -> Portwatch {
    let (config, data) = (
        folder.path().join("portwatch.toml"),
        folder.path().join("data"),
    );
    let text = format!(
        "[notifier]\nallow = '127.0.0.0/8'\n[[notifier.channels]]\nname = 'panel'\nkind = 'roxy-wi'\nurl = '{broker}'\n\
         to = 'lab-east=2, 1'\n\
         [[scheduler.targets]]\nname = 'here; <b>ALERT</b>'\ngroup = 'lab-east'\naddresses = '127.0.0.1'\nports = '{port}'\n\
         interval = '1s'\nconfirm_close = 1\n"
    );
    std::fs::write(&config, text).unwrap();
    let (config, data) = (config.to_str().unwrap(), data.to_str().unwrap());
    let mut arguments = vec!["up", "--config", config, "--data-dir", data];
    arguments.extend(["--listen", "127.0.0.1:0"]);
    let up = Portwatch::start(
        &arguments,
        &[("PORTWATCH__RUNTIME__LOG", "info,lapin=off".to_owned())],
    );
    up.line(" 1 port judged").await;
    up
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn either_version_shows_what_changed() {
    let (folder, servers, port) = (TempDir::new().unwrap(), Servers::make(), free_port());
    let broker = servers.broker();
    let panel = Panel::open(&broker).await;
    let up = up(&folder, &broker, port).await;

    // Nothing is there yet, and nothing is made: it is told when Roxy-WI has begun.
    let listener = Listener::start(port).await;
    up.line("neither the exchange roxy.notifications nor the queue roxy-wi")
        .await;
    panel.declare("roxy-wi").await;
    let (message, body) = panel.next("roxy-wi").await;
    up.line("connected with Roxy-WI's broker").await;
    assert_eq!(
        (message.exchange.as_str(), message.routing_key.as_str()),
        ("", "roxy-wi")
    );
    assert_eq!(
        (body.as_object().unwrap().len(), &body["user_group"]),
        (2, &json!(2)),
        "{body}"
    );
    let text = body["message"].as_str().unwrap();
    assert!(
        text.starts_with("critical: ") && text.contains(&format!("port {port}/tcp")),
        "{text}"
    );
    assert!(
        !text.contains(';') && !text.to_lowercase().contains("alert"),
        "{text}"
    );
    let (code, printed) = up.stop().await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("queue roxy-wi"), "{printed}");

    // The next start finds a newer Roxy-WI.
    panel.declare_exchange("roxy.notifications", "socket").await;
    let up = self::up(&folder, &broker, port).await;
    listener.stop().await;
    let (message, body) = panel.next("socket").await;
    assert_eq!(
        (message.exchange.as_str(), message.routing_key.as_str()),
        ("roxy.notifications", "group.2")
    );
    let properties = &message.properties;
    let id = properties.message_id().as_ref().unwrap().as_str();
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "roxy-wi");
    assert_eq!(
        (&body["event_id"], &body["schema_version"]),
        (&json!(id), &json!(1))
    );
    assert_eq!(
        (&body["type"], &body["user_group"]),
        (&json!("socket.notification"), &json!(2))
    );
    up.stop().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn a_broker_that_is_away_hears_of_it_later() {
    let (folder, servers, port) = (TempDir::new().unwrap(), Servers::make(), free_port());
    let broker = servers.broker();
    let panel = Panel::open(&broker).await;
    panel.declare("roxy-wi").await;
    let (rest, vhost) = broker.rsplit_once('/').unwrap();
    let behind = rest.rsplit_once('@').unwrap().1.to_owned();
    let front = free_port();
    let url = format!("amqp://guest:guest@127.0.0.1:{front}/{vhost}");
    let up = up(&folder, &url, port).await;
    let listener = Listener::start(port).await;
    let told = up
        .line(&format!(
            "connecting with Roxy-WI's broker at 127.0.0.1:{front}"
        ))
        .await;
    assert!(!told.contains("guest"), "{told}");

    // It is back behind the same address, goes away once more between two messages, and is back.
    let there = forward(front, &behind).await;
    let (_, first) = panel.next("roxy-wi").await;
    assert!(
        first["message"].as_str().unwrap().contains("opened"),
        "{first}"
    );
    there.abort();
    // The listener of the first is closed when its task has ended.
    let _ = there.await;
    let there = forward(front, &behind).await;
    listener.stop().await;
    let (_, second) = panel.next("roxy-wi").await;
    assert!(
        second["message"].as_str().unwrap().contains("closed"),
        "{second}"
    );
    let again = panel
        .channel
        .basic_get("roxy-wi".into(), BasicGetOptions { no_ack: true });
    assert!(
        tokio::time::timeout(Duration::from_secs(5), again)
            .await
            .unwrap()
            .unwrap()
            .is_none()
    );
    there.abort();
    up.stop().await;
}

/// Moves what comes to this port to an address and back, until it is aborted.
async fn forward(port: u16, to: &str) -> tokio::task::JoinHandle<()> {
    let at = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let to = to.to_owned();
    tokio::spawn(async move {
        let mut streams = tokio::task::JoinSet::new();
        while let Ok((mut outer, _)) = at.accept().await {
            let mut inner = TcpStream::connect(&to).await.unwrap();
            streams.spawn(async move { copy_bidirectional(&mut outer, &mut inner).await });
        }
    })
}
