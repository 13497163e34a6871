use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_store::Store;
use portwatch_store::outbox::{OutboxMessage, Relay, Topic};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::outbox::save;
use crate::samples::message;

const LONG_ENOUGH: Duration = Duration::from_secs(20);

fn some(count: u128) -> Vec<OutboxMessage> {
    (0..count)
        .map(|n| message(Topic::Change, Uuid::from_u128(n)))
        .collect()
}

fn relay(store: &Store) -> Relay {
    Relay::new(store.clone(), Topic::Change, Arc::new(Notify::new()))
}

async fn until_empty(store: &Store) {
    let empty = async {
        while store.outbox_depth(Topic::Change).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG_ENOUGH, empty).await.unwrap();
}

pub async fn everything_is_published_once(store: Store) {
    const MESSAGES: u128 = 700;
    let published = Arc::new(Mutex::new(HashMap::<Uuid, u32>::new()));
    let shutdown = CancellationToken::new();
    let mut relays = JoinSet::new();
    let wake = Arc::new(Notify::new());
    for in_flight in [1, 16, 128] {
        let (published, shutdown) = (published.clone(), shutdown.clone());
        let relay = Relay {
            in_flight,
            wake: wake.clone(),
            ..relay(&store)
        };
        relays.spawn(relay.run(
            move |message| {
                let published = published.clone();
                async move {
                    assert_eq!(message.body, message.id.as_bytes());
                    tokio::task::yield_now().await;
                    *published.lock().unwrap().entry(message.id).or_default() += 1;
                    Ok::<_, String>(())
                }
            },
            shutdown,
        ));
    }
    save(&store, -1_000_000_000, some(MESSAGES)).await;
    wake.notify_waiters();
    until_empty(&store).await;
    shutdown.cancel();
    relays.join_all().await;
    let published = published.lock().unwrap();
    assert_eq!(published.len(), usize::try_from(MESSAGES).unwrap());
    assert!(published.values().all(|&times| times == 1));
}

pub async fn a_message_that_fails_is_tried_again(store: Store) {
    save(&store, -1_000_000_000, some(20)).await;
    let tries = Arc::new(Mutex::new(HashMap::<Uuid, u32>::new()));
    let shutdown = CancellationToken::new();
    let (counted, stop) = (tries.clone(), shutdown.clone());
    let relay = relay(&store).run(
        move |message| {
            let counted = counted.clone();
            async move {
                let mut counted = counted.lock().unwrap();
                let tries = counted.entry(message.id).or_default();
                *tries += 1;
                if *tries == 1 {
                    Err("the broker is away")
                } else {
                    Ok(())
                }
            }
        },
        stop,
    );
    let (relay, store) = (tokio::spawn(relay), store);
    until_empty(&store).await;
    shutdown.cancel();
    relay.await.unwrap();
    assert!(tries.lock().unwrap().values().all(|&tries| tries == 2));
}

pub async fn a_message_in_flight_keeps_its_lease(store: Store) {
    save(&store, -1_000_000_000, some(1)).await;
    let lease = SignedDuration::from_millis(300);
    let shutdown = CancellationToken::new();
    let gate = Arc::new(Notify::new());
    let (started, mut starts) = mpsc::unbounded_channel();
    let mut relays = JoinSet::new();
    for _ in 0..2 {
        let (gate, started) = (gate.clone(), started.clone());
        let relay = Relay {
            lease,
            in_flight: 1,
            ..relay(&store)
        };
        relays.spawn(relay.run(
            move |message| {
                let (gate, started) = (gate.clone(), started.clone());
                async move {
                    started.send(message.id).unwrap();
                    gate.notified().await;
                    Ok::<_, String>(())
                }
            },
            shutdown.clone(),
        ));
    }
    assert_eq!(starts.recv().await, Some(Uuid::from_u128(0)));
    // Five leases pass, and the other relay looks for work all the time.
    let second = tokio::time::timeout(Duration::from_millis(1500), starts.recv()).await;
    assert!(second.is_err(), "published twice at once");
    gate.notify_one();
    until_empty(&store).await;
    shutdown.cancel();
    relays.join_all().await;
}

pub async fn what_is_not_published_at_the_end_is_given_back(store: Store) {
    save(&store, -1_000_000_000, some(3)).await;
    let shutdown = CancellationToken::new();
    let (started, mut starts) = mpsc::unbounded_channel();
    let relay = tokio::spawn(relay(&store).run(
        move |message| {
            started.send(()).unwrap();
            async move {
                if message.id.as_u128() == 0 {
                    return Ok::<_, String>(());
                }
                std::future::pending().await
            }
        },
        shutdown.clone(),
    ));
    for _ in 0..3 {
        starts.recv().await.unwrap();
    }
    shutdown.cancel();
    tokio::time::timeout(LONG_ENOUGH, relay)
        .await
        .unwrap()
        .unwrap();
    let lease = SignedDuration::from_secs(30);
    let left = store
        .claim_outbox(Topic::Change, Timestamp::now(), 9, lease)
        .await
        .unwrap();
    assert_eq!(left.len(), 2);
}
