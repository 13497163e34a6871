//! What the broker's own outages do: restarts, crashes, alarms. In a program of its own, one test
//! after the other, because they disturb everybody who uses the broker.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../src/rabbit/tests/vhost.rs"]
mod vhost;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portwatch_bus::rabbit::{RabbitSettings, connect};
use portwatch_bus::{Bus, Consumer, PublishError, Received, Route};
use portwatch_domain::job::JobId;
use portwatch_domain::snapshot::{HostReport, Method, Snapshot};
use portwatch_domain::target::TargetId;
use portwatch_schemas::{Meta, TraceParent, encode};
use tokio::process::Command;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vhost::{Vhost, rabbitmqctl};

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A test that takes longer hangs.
const AT_MOST: Duration = Duration::from_mins(3);

const ROUTE: Route = Route::Snapshot { shard: 0 };

/// The bytes of a snapshot message with the id `n`.
fn snapshot(n: u128) -> Vec<u8> {
    let now = Timestamp::UNIX_EPOCH;
    let snapshot = Snapshot {
        job: JobId(Uuid::from_u128(n)),
        target: TargetId::derive("test", "bus"),
        run: 1,
        part: 0,
        parts: 1,
        method: Method::Connect,
        worker: "test".to_owned(),
        started_at: now,
        finished_at: now,
        hosts: vec![HostReport::unknown([127, 0, 0, 1].into(), None)],
    };
    let meta = Meta {
        id: Uuid::from_u128(n),
        source: "/portwatch/test".to_owned(),
        time: now,
        trace: TraceParent::new(n, 1),
    };
    encode(&meta, &snapshot).unwrap()
}

async fn bus(vhost: &Vhost) -> Bus {
    let settings = RabbitSettings {
        url: vhost.url(),
        name: "portwatch test".to_owned(),
        snapshot_shards: 1,
        ..RabbitSettings::default()
    };
    connect(settings).await.unwrap()
}

/// Restarts the broker; returns when it answers again.
async fn restart(arguments: &[&str]) {
    let program = vhost::variable("PORTWATCH_TEST_BROKER_RESTART");
    let status = Command::new(program).args(arguments).status().await;
    assert!(status.unwrap().success());
}

/// Publishes what an outbox would: each message again and again, until it is confirmed.
async fn publish_all(bus: &Bus, numbers: impl Iterator<Item = u128>) -> u32 {
    let mut failures = 0;
    for n in numbers {
        while let Err(error) = bus.publish(&ROUTE, Uuid::from_u128(n), snapshot(n)).await {
            assert!(!matches!(error, PublishError::TooLarge { .. }), "{error}");
            failures += 1;
        }
    }
    failures
}

/// Ten publishers and two consumers, each consumer on a bus of its own; the broker restarts in the
/// middle of it. Every message is handled at least once.
async fn nothing_is_lost(arguments: &[&str]) {
    const MESSAGES: u128 = 1000;
    const PUBLISHERS: u128 = 10;
    let vhost = Vhost::create().await;
    let shutdown = CancellationToken::new();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut consumers = Vec::new();
    for _ in 0..2 {
        let consumer = Consumer {
            bus: bus(&vhost).await,
            routes: vec![ROUTE],
            concurrency: 8,
            grace: Duration::from_secs(10),
        };
        let tell = tell.clone();
        let handler = move |received: Received<Snapshot>| {
            tell.send(received.meta.id.as_u128()).unwrap();
            async { Ok(()) }
        };
        consumers.push(tokio::spawn(consumer.run(handler, shutdown.clone())));
    }
    let publisher = bus(&vhost).await;
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|first| {
            let publisher = publisher.clone();
            tokio::spawn(async move {
                let numbers = (first..MESSAGES).step_by(10);
                publish_all(&publisher, numbers).await
            })
        })
        .collect();
    let mut handled = HashSet::new();
    while handled.len() < 200 {
        handled.insert(told.recv().await.unwrap());
    }
    restart(arguments).await;
    let mut failures = 0;
    for publishing in publishers {
        failures += publishing.await.unwrap();
    }
    while handled.len() < 1000 {
        handled.insert(told.recv().await.unwrap());
    }
    println!("{failures} publishes failed and were repeated");
    assert!(handled.into_iter().all(|n| n < MESSAGES));
    publisher.check().await.unwrap();
    assert!(publisher.dead_letters(1).await.unwrap().is_empty());
    shutdown.cancel();
    for consumer in consumers {
        consumer.await.unwrap().unwrap();
    }
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn nothing_is_lost_when_the_broker_restarts() {
    let _alone = ALONE.lock().await;
    let test = nothing_is_lost(&[]);
    tokio::time::timeout(AT_MOST, test).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn nothing_is_lost_when_the_broker_is_killed() {
    let _alone = ALONE.lock().await;
    let test = nothing_is_lost(&["kill"]);
    tokio::time::timeout(AT_MOST, test).await.unwrap();
}

/// Under an alarm the broker takes no messages, and publishing ends in time with an error; what
/// is consumed can still be acknowledged, and afterwards all goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn publishing_ends_in_time_under_an_alarm() {
    let _alone = ALONE.lock().await;
    let vhost = Vhost::create().await;
    let test = async {
        let bus = bus(&vhost).await;
        publish_all(&bus, 0..2).await;
        let mut subscription = bus.subscribe(&[ROUTE], 1).await.unwrap();
        let first = subscription.next().await.unwrap();
        rabbitmqctl(&["set_vm_memory_high_watermark", "0.000001"]).await;
        // The alarm is told to a connection when it next publishes.
        let blocked = loop {
            let began = Instant::now();
            let outcome = bus.publish(&ROUTE, Uuid::from_u128(9), snapshot(9)).await;
            assert!(began.elapsed() < Duration::from_secs(8));
            match outcome {
                Ok(()) | Err(PublishError::Timeout { .. }) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(blocked, PublishError::Blocked { .. }), "{blocked}");
        first.ack().await;
        let second = subscription.next().await.unwrap();
        assert_eq!(second.id, Some(Uuid::from_u128(1)));
        second.ack().await;
        rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).await;
        publish_all(&bus, 10..11).await;
        while let Ok(delivery) = subscription.next().await {
            let id = delivery.id.unwrap().as_u128();
            delivery.ack().await;
            if id == 10 {
                break;
            }
        }
        bus.close().await;
    };
    let outcome = tokio::time::timeout(AT_MOST, test).await;
    // Whatever came of it, the next test must find a broker that works.
    rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    outcome.unwrap();
}
