use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use portwatch_store::Store;
use portwatch_store::notifications::{
    Attempt, DeliveryCounts, DueDelivery, NewDelivery, NewNotification, NextStep,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::samples::{LEASE, at};

/// A notification for some channels, made at that many seconds; its number is its id and body.
pub fn notification(number: u128, seconds: i64, key: &str, channels: &[&str]) -> NewNotification {
    let id = Uuid::from_u128(number);
    let deliveries = channels.iter().map(|channel| NewDelivery {
        id: delivery(number, channel),
        channel: (*channel).to_owned(),
    });
    NewNotification {
        id,
        created_at: at(seconds),
        body: number.to_be_bytes().to_vec(),
        order_key: key.to_owned(),
        deliveries: deliveries.collect(),
        held: Vec::new(),
        problems: Vec::new(),
    }
}

pub fn delivery(number: u128, channel: &str) -> Uuid {
    Uuid::new_v5(&Uuid::from_u128(number), channel.as_bytes())
}

pub async fn save(store: &Store, number: u128, key: &str, channels: &[&str]) {
    let notification = notification(number, 0, key, channels);
    assert!(store.save_notification(notification).await.unwrap());
}

async fn claim(store: &Store, channels: &[&str], now: Timestamp) -> Vec<DueDelivery> {
    let channels: Vec<_> = channels.iter().map(|&channel| channel.to_owned()).collect();
    store
        .claim_deliveries(&channels, now, 100, LEASE)
        .await
        .unwrap()
}

/// The numbers of the notifications that are claimed for a channel.
async fn numbers(store: &Store, channel: &str, now: Timestamp) -> Vec<u128> {
    let claimed = claim(store, &[channel], now).await;
    claimed.iter().map(number).collect()
}

fn number(due: &DueDelivery) -> u128 {
    u128::from_be_bytes(due.body.as_slice().try_into().unwrap())
}

async fn end(store: &Store, due: &DueDelivery, now: Timestamp, next: NextStep) -> bool {
    let failed = (next != NextStep::Delivered).then(|| "refused".to_owned());
    let attempt = Attempt {
        at: now,
        latency: SignedDuration::from_millis(12),
        status: Some(if failed.is_some() { 500 } else { 204 }),
        error: failed,
        answer: None,
        next,
    };
    store
        .record_attempt(due.id, due.lease, attempt)
        .await
        .unwrap()
}

async fn next(store: &Store, channel: &str) -> Option<Timestamp> {
    store.next_delivery(&[channel.to_owned()]).await.unwrap()
}

/// Claims the only delivery that is due and ends its attempt.
pub async fn deliver(store: &Store, channel: &str, now: Timestamp, next: NextStep) {
    let claimed = claim(store, &[channel], now).await;
    assert_eq!(claimed.len(), 1);
    assert!(end(store, &claimed[0], now, next).await);
}

pub async fn a_notification_is_saved_once(store: Store) {
    save(&store, 1, "host", &["mail", "chat"]).await;
    let again = notification(1, 0, "host", &["mail", "chat", "pager"]);
    assert!(!store.save_notification(again).await.unwrap());
    save(&store, 2, "host", &[]).await;
    assert!(
        !store
            .save_notification(notification(2, 0, "host", &["mail"]))
            .await
            .unwrap()
    );
    let counts = DeliveryCounts {
        pending: 2,
        given_up: 0,
    };
    assert_eq!(store.count_deliveries().await.unwrap(), counts);

    assert!(claim(&store, &["pager"], at(0)).await.is_empty());
    assert!(claim(&store, &[], at(0)).await.is_empty());
    let claimed = claim(&store, &["mail", "pager"], at(0)).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        (claimed[0].id, claimed[0].attempts),
        (delivery(1, "mail"), 0)
    );
    assert_eq!(
        (claimed[0].channel.as_str(), number(&claimed[0])),
        ("mail", 1)
    );
}

pub async fn a_leased_delivery_is_not_claimed_again(store: Store) {
    for number in 1..=3 {
        let key = format!("host {number}");
        let seconds = 10 - i64::try_from(number).unwrap();
        let notification = notification(number, seconds, &key, &["mail"]);
        assert!(store.save_notification(notification).await.unwrap());
    }
    assert_eq!(next(&store, "mail").await, Some(at(7)));
    assert!(numbers(&store, "mail", at(6)).await.is_empty());
    let first = store
        .claim_deliveries(&["mail".to_owned()], at(9), 2, LEASE)
        .await
        .unwrap();
    assert_eq!(
        first.iter().map(number).collect::<Vec<_>>(),
        [3, 2],
        "the longest due first"
    );
    assert_eq!(next(&store, "mail").await, Some(at(9)));
    assert_eq!(numbers(&store, "mail", at(9)).await, [1]);
    assert_eq!(
        next(&store, "mail").await,
        Some(at(39)),
        "when the leases end"
    );
    assert!(numbers(&store, "mail", at(38)).await.is_empty());
    let again: BTreeSet<_> = numbers(&store, "mail", at(39)).await.into_iter().collect();
    assert_eq!(again, [1, 2, 3].into());
}

pub async fn only_the_holder_of_the_lease_records(store: Store) {
    save(&store, 1, "host", &["mail"]).await;
    let slow = claim(&store, &["mail"], at(0)).await.remove(0);
    let quick = claim(&store, &["mail"], at(30)).await.remove(0);
    assert_ne!(slow.lease, quick.lease);
    assert!(!end(&store, &slow, at(31), NextStep::GivenUp).await);
    assert!(end(&store, &quick, at(32), NextStep::RetryAt(at(40))).await);
    assert!(
        !end(&store, &quick, at(33), NextStep::Delivered).await,
        "a lease is good once"
    );
    let last = claim(&store, &["mail"], at(40)).await.remove(0);
    assert_eq!(last.attempts, 1);
    // The lease has run out, but nobody else has taken it.
    assert!(end(&store, &last, at(400), NextStep::Delivered).await);
    let unknown = DueDelivery {
        id: Uuid::from_u128(99),
        ..last
    };
    assert!(!end(&store, &unknown, at(401), NextStep::Delivered).await);
}

pub async fn a_delivery_waits_for_its_predecessor(store: Store) {
    save(&store, 1, "host", &["mail", "chat"]).await;
    save(&store, 2, "host", &["mail", "chat"]).await;
    save(&store, 3, "other host", &["mail"]).await;
    save(&store, 4, "host", &["mail"]).await;
    assert_eq!(store.count_deliveries().await.unwrap().pending, 6);

    assert_eq!(numbers(&store, "mail", at(0)).await, [1, 3]);
    let chat = claim(&store, &["chat"], at(0)).await;
    assert_eq!(chat.iter().map(number).collect::<Vec<_>>(), [1]);
    assert!(end(&store, &chat[0], at(1), NextStep::RetryAt(at(100))).await);
    assert!(numbers(&store, "chat", at(99)).await.is_empty());
    assert_eq!(
        next(&store, "chat").await,
        Some(at(100)),
        "not when one is due that has to wait"
    );
    deliver(&store, "chat", at(100), NextStep::Delivered).await;
    assert_eq!(numbers(&store, "chat", at(101)).await, [2]);

    // The leases of the first two run out; the order stays.
    let mail = claim(&store, &["mail"], at(200)).await;
    assert_eq!(mail.iter().map(number).collect::<Vec<_>>(), [1, 3]);
    assert!(end(&store, &mail[0], at(201), NextStep::Delivered).await);
    assert_eq!(numbers(&store, "mail", at(202)).await, [2]);
}

pub async fn a_delivery_that_is_given_up_frees_the_next(store: Store) {
    save(&store, 1, "host", &["mail"]).await;
    save(&store, 2, "host", &["mail"]).await;
    deliver(&store, "mail", at(0), NextStep::GivenUp).await;
    let counts = DeliveryCounts {
        pending: 1,
        given_up: 1,
    };
    assert_eq!(store.count_deliveries().await.unwrap(), counts);
    deliver(&store, "mail", at(1), NextStep::Delivered).await;
    let counts = DeliveryCounts {
        pending: 0,
        given_up: 1,
    };
    assert_eq!(store.count_deliveries().await.unwrap(), counts);
    save(&store, 3, "host", &["mail"]).await;
    assert_eq!(numbers(&store, "mail", at(2)).await, [3]);
}

pub async fn a_retry_comes_when_it_is_due(store: Store) {
    save(&store, 1, "host", &["mail"]).await;
    for (attempt, now) in (0_u32..).zip([0, 5, 305]) {
        assert_eq!(next(&store, "mail").await, Some(at(now)));
        assert!(claim(&store, &["mail"], at(now - 1)).await.is_empty());
        let due = claim(&store, &["mail"], at(now)).await.remove(0);
        assert_eq!(due.attempts, attempt);
        let again = at(if attempt == 0 { 5 } else { 305 });
        assert!(end(&store, &due, at(now), NextStep::RetryAt(again)).await);
    }
}

pub async fn each_delivery_is_claimed_once(store: Store) {
    const NOTIFICATIONS: u128 = 300;
    let channels = ["mail", "chat"];
    for number in 0..NOTIFICATIONS {
        save(&store, number, &format!("host {number}"), &channels).await;
    }
    let channels = channels.map(str::to_owned);
    let mut claimers = JoinSet::new();
    for _ in 0..8 {
        let (store, channels) = (store.clone(), channels.clone());
        claimers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store
                    .claim_deliveries(&channels, at(0), 13, LEASE)
                    .await
                    .unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.iter().map(|due| due.id));
            }
        });
    }
    let all: Vec<_> = claimers.join_all().await.concat();
    assert_eq!(all.len() as u128, NOTIFICATIONS * 2);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

/// Notifications of a few hosts are saved while others are being delivered: each host's come in
/// order, one at a time, and none stays behind.
pub async fn order_is_kept_when_saves_and_attempts_cross(store: Store) {
    const HOSTS: u128 = 4;
    const EACH: u128 = 40;
    let mut savers = JoinSet::new();
    for host in 0..HOSTS {
        let store = store.clone();
        savers.spawn(async move {
            for turn in 0..EACH {
                save(
                    &store,
                    turn * HOSTS + host,
                    &format!("host {host}"),
                    &["mail"],
                )
                .await;
            }
        });
    }
    let delivered = Arc::new(Mutex::new(HashMap::<u128, u128>::new()));
    let mut senders = JoinSet::new();
    for _ in 0..6 {
        let (store, delivered) = (store.clone(), delivered.clone());
        senders.spawn(async move {
            while delivered.lock().unwrap().values().sum::<u128>() < HOSTS * EACH {
                for due in claim(&store, &["mail"], at(1)).await {
                    let (host, turn) = (number(&due) % HOSTS, number(&due) / HOSTS);
                    let expected = *delivered.lock().unwrap().entry(host).or_default();
                    assert_eq!(turn, expected, "host {host}");
                    delivered.lock().unwrap().insert(host, turn + 1);
                    assert!(end(&store, &due, at(1), NextStep::Delivered).await);
                }
            }
        });
    }
    savers.join_all().await;
    senders.join_all().await;
    assert_eq!(
        store.count_deliveries().await.unwrap(),
        DeliveryCounts::default()
    );
}
