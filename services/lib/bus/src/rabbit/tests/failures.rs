//! What goes wrong with connections, and what is told of it.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::proxy::{Proxy, free_port};
use super::settings;
use super::vhost::Vhost;
use crate::conformance::rig::{SOON, high, job};
use crate::rabbit::{RabbitSettings, connect};
use crate::{Bus, BusError, Route};

/// The URL with another host and port, and the host and port that it had.
fn detour(url: &str, port: u16) -> (String, String) {
    let (login, rest) = url.split_once('@').unwrap();
    let (broker, vhost) = rest.split_once('/').unwrap();
    (
        format!("{login}@127.0.0.1:{port}/{vhost}"),
        broker.to_owned(),
    )
}

/// Waits until the bus is ready.
async fn ready(bus: &Bus) {
    while bus.check().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the bus says why it is not ready, other than that it has just begun.
async fn not_ready(bus: &Bus) -> BusError {
    loop {
        match bus.check().await {
            Err(error) if !error.to_string().ends_with(": connecting") => return error,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, test).await.unwrap()
}

#[tokio::test]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn starts_before_the_broker() {
    let vhost = Vhost::create().await;
    within(async {
        let port = free_port().await;
        let (url, broker) = detour(&vhost.url(), port);
        let bus = connect(settings(url)).await.unwrap();
        let mut subscription = bus.subscribe(&[high()], 1).await.unwrap();
        let error = not_ready(&bus).await.to_string();
        assert!(error.contains("refused"), "{error}");
        let same = bus.clone();
        let published = tokio::spawn(async move {
            while same
                .publish(&high(), Uuid::from_u128(1), job(1))
                .await
                .is_err()
            {}
        });
        let _proxy = Proxy::listen(port, broker).await;
        let delivery = subscription.next().await.unwrap();
        assert_eq!(delivery.id, Some(Uuid::from_u128(1)));
        delivery.ack().await;
        published.await.unwrap();
        ready(&bus).await;
        bus.close().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn a_cut_connection_is_made_again() {
    let vhost = Vhost::create().await;
    within(async {
        let port = free_port().await;
        let (url, broker) = detour(&vhost.url(), port);
        let proxy = Proxy::listen(port, broker).await;
        let bus = connect(settings(url)).await.unwrap();
        let mut subscription = bus.subscribe(&[high()], 2).await.unwrap();
        let id = Uuid::from_u128(1);
        bus.publish(&high(), id, job(1)).await.unwrap();
        let old = subscription.next().await.unwrap();
        proxy.cut();
        // The broker takes the message back with the connection; what becomes of the old delivery
        // no longer matters.
        let again = subscription.next().await.unwrap();
        assert_eq!((again.id, again.attempt), (Some(id), 1));
        old.ack().await;
        proxy.cut();
        let again = subscription.next().await.unwrap();
        assert_eq!(again.id, Some(id));
        again.ack().await;
        // Publishing finds the new connection by itself, at once or at the second try.
        while bus
            .publish(&high(), Uuid::from_u128(2), job(2))
            .await
            .is_err()
        {}
        let next = subscription.next().await.unwrap();
        assert_eq!(next.id, Some(Uuid::from_u128(2)));
        next.ack().await;
        ready(&bus).await;
        bus.close().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn a_wrong_password_is_told_but_not_the_password() {
    let vhost = Vhost::create().await;
    let url = vhost.url().replace(":guest@", ":s3cr%21t@");
    let settings = settings(url);
    assert!(!format!("{settings:?}").contains("s3cr"));
    within(async {
        let bus = connect(settings).await.unwrap();
        let error = not_ready(&bus).await;
        assert!(matches!(error, BusError::Refused { .. }), "{error:?}");
        let told = format!("{error} {error:?}");
        assert!(told.contains("ACCESS_REFUSED"), "{told}");
        assert!(told.contains("user guest"), "{told}");
        assert!(!told.contains("s3cr"), "{told}");
        bus.close().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn a_queue_of_another_make_is_told() {
    let vhost = Vhost::create().await;
    within(async {
        // Other retry delays are other arguments.
        let bus = connect(settings(vhost.url())).await.unwrap();
        ready(&bus).await;
        let other = RabbitSettings {
            retry_delays: crate::RetryDelays::default(),
            ..settings(vhost.url())
        };
        let other = connect(other).await.unwrap();
        let error = not_ready(&other).await.to_string();
        assert!(
            error.starts_with("declaring the queue pw.retry.5s: the broker at"),
            "{error}"
        );
        assert!(error.contains("PRECONDITION"), "{error}");
        bus.close().await;
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_mute_broker_is_let_go() {
    within(async {
        let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = mute.local_addr().unwrap().port();
        let bus = connect(RabbitSettings {
            url: format!("amqp://guest:guest@127.0.0.1:{port}/%2f"),
            confirm_timeout: Duration::from_millis(50),
            ..RabbitSettings::default()
        })
        .await
        .unwrap();
        // Each attempt shuts its socket, and with it the library's thread.
        for _ in 0..3 {
            let (mut socket, _) = mute.accept().await.unwrap();
            let mut sent = Vec::new();
            socket.read_to_end(&mut sent).await.unwrap();
            assert_eq!(sent, b"AMQP\0\0\x09\x01");
        }
        let error = not_ready(&bus).await;
        assert!(matches!(error, BusError::Timeout { .. }), "{error}");
        let began = Instant::now();
        let refused = bus.publish(&high(), Uuid::from_u128(1), job(1)).await;
        assert!(refused.is_err());
        assert!(began.elapsed() < Duration::from_secs(5));
        bus.close().await;
    })
    .await;
}

#[tokio::test]
async fn tls_without_tls_on_the_other_side_is_an_error() {
    within(async {
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = plain.local_addr().unwrap().port();
        let bus = connect(RabbitSettings {
            url: format!("amqps://guest:guest@127.0.0.1:{port}/%2f"),
            ..RabbitSettings::default()
        })
        .await
        .unwrap();
        let (mut socket, _) = plain.accept().await.unwrap();
        let mut hello = [0; 1];
        socket.read_exact(&mut hello).await.unwrap();
        assert_eq!(hello, [22], "not a TLS handshake record");
        drop(socket);
        let error = not_ready(&bus).await;
        assert!(matches!(error, BusError::Disconnected { .. }), "{error}");
        bus.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_url_is_told_without_being_quoted() {
    for url in [
        "nonsense",
        "http://guest:s3cret@localhost",
        "amqp:s3cret",
        "amqp://guest:s3cret@local host:99999/",
    ] {
        let settings = RabbitSettings {
            url: url.to_owned(),
            ..RabbitSettings::default()
        };
        let error = connect(settings).await.err().unwrap();
        assert!(matches!(error, BusError::Url(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn an_ipv6_literal_is_that_address() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return; // A machine without IPv6.
    };
    let port = listener.local_addr().unwrap().port();
    let bus = connect(RabbitSettings {
        url: format!("amqp://guest:p%40ss@[::1]:{port}/%2f"),
        ..RabbitSettings::default()
    })
    .await
    .unwrap();
    within(listener.accept()).await.unwrap();
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn many_publish_at_once_to_a_zone_that_is_new() {
    const PUBLISHERS: u128 = 300;
    let vhost = Vhost::create().await;
    within(async {
        let bus = connect(settings(vhost.url())).await.unwrap();
        let route: Route = "job.dmz.high".parse().unwrap();
        let publishing: Vec<_> = (0..PUBLISHERS)
            .map(|n| {
                let (bus, route) = (bus.clone(), route.clone());
                tokio::spawn(async move { bus.publish(&route, Uuid::from_u128(n), job(n)).await })
            })
            .collect();
        for published in publishing {
            published.await.unwrap().unwrap();
        }
        let mut subscription = bus.subscribe(&[route], 50).await.unwrap();
        let mut numbers = Vec::new();
        for _ in 0..PUBLISHERS {
            let delivery = subscription.next().await.unwrap();
            numbers.push(delivery.id.unwrap().as_u128());
            delivery.ack().await;
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..PUBLISHERS));
        assert!(bus.dead_letters(1).await.unwrap().is_empty());
        bus.close().await;
    })
    .await;
}
