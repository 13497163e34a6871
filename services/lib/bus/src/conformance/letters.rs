//! Cases about single messages: order, settling, dead letters.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_schemas::MAX_MESSAGE_BYTES;
use uuid::Uuid;

use super::rig::{Rig, high, job, normal};
use crate::{BusError, Delivery, PublishError, RetryStep, Route, Subscription};

/// The number of a posted job.
fn number(delivery: &Delivery) -> u128 {
    delivery.id.unwrap().as_u128()
}

async fn take(subscription: &mut Box<dyn Subscription>) -> Delivery {
    subscription.next().await.unwrap()
}

/// Receives and acks this many, and says which they were.
async fn drain(subscription: &mut Box<dyn Subscription>, count: usize) -> Vec<u128> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let delivery = take(subscription).await;
        numbers.push(number(&delivery));
        delivery.ack().await;
    }
    numbers
}

pub(crate) async fn published_received_acked(rig: &Rig) {
    let bus = rig.bus();
    let mut subscription = bus.subscribe(&[high()], 1).await.unwrap();
    let other = rig.bus();
    let published =
        tokio::spawn(async move { other.publish(&high(), Uuid::from_u128(1), job(1)).await });
    let delivery = take(&mut subscription).await;
    assert_eq!(number(&delivery), 1);
    assert_eq!(delivery.route, high());
    assert_eq!(delivery.attempt, 1);
    assert!(!delivery.body.is_empty());
    delivery.ack().await;
    published.await.unwrap().unwrap();
    bus.check().await.unwrap();
    // What was acked does not come again: a new subscription gets what comes after it.
    drop(subscription);
    let mut subscription = bus.subscribe(&[high()], 1).await.unwrap();
    rig.post(&high(), 2).await;
    assert_eq!(drain(&mut subscription, 1).await, [2]);
    assert!(rig.dead(0).await.is_empty());
}

pub(crate) async fn high_before_normal(rig: &Rig) {
    for n in 0..5 {
        rig.post(&normal(), n).await;
    }
    for n in 10..15 {
        rig.post(&high(), n).await;
    }
    let mut subscription = rig.filled(&[high(), normal()], 5, 10).await;
    let numbers = drain(&mut subscription, 10).await;
    assert_eq!(numbers, [10, 11, 12, 13, 14, 0, 1, 2, 3, 4]);
}

pub(crate) async fn shards_take_turns(rig: &Rig) {
    let shards = [0, 1].map(|shard| Route::Snapshot { shard });
    for n in 0..6 {
        rig.post(&shards[usize::from(n % 2 == 0)], n).await;
    }
    let mut subscription = rig.filled(&shards, 3, 6).await;
    let mut numbers = drain(&mut subscription, 6).await;
    if rig.is_on_broker() {
        // Two queues, two streams: in which order they arrive is the broker's business.
        numbers.sort_unstable();
    }
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
}

pub(crate) async fn handed_back_comes_again(rig: &Rig) {
    let posted = rig.post(&high(), 1).await;
    let mut subscription = rig.bus().subscribe(&[high()], 1).await.unwrap();
    take(&mut subscription).await.hand_back().await;
    let again = take(&mut subscription).await;
    assert_eq!((number(&again), again.attempt), (1, 1));
    // Forgotten, it goes back too.
    drop(again);
    let again = take(&mut subscription).await;
    assert_eq!((number(&again), again.attempt), (1, 1));
    assert_eq!(again.body.len(), job(1).len());
    again.ack().await;
    posted.await.unwrap().unwrap();
}

pub(crate) async fn a_dead_consumer_leaves_its_messages_to_others(rig: &Rig) {
    for n in 0..4 {
        rig.post(&high(), n).await;
    }
    let mut first = rig.filled(&[high()], 4, 4).await;
    let in_hand = [take(&mut first).await, take(&mut first).await];
    drop((first, in_hand));
    let mut second = rig.second_bus().subscribe(&[high()], 4).await.unwrap();
    let mut numbers = drain(&mut second, 4).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3]);
}

pub(crate) async fn prefetch_bounds_what_is_in_hand(rig: &Rig) {
    for n in 0..3 {
        rig.post(&high(), n).await;
    }
    let mut subscription = rig.filled(&[high(), normal()], 2, 2).await;
    let first = take(&mut subscription).await;
    let second = take(&mut subscription).await;
    // Job 2 has no room; one of the other queue has.
    rig.post(&normal(), 10).await;
    let other = take(&mut subscription).await;
    assert_eq!(number(&other), 10);
    first.ack().await;
    assert_eq!(drain(&mut subscription, 1).await, [2]);
    second.ack().await;
    other.ack().await;
}

pub(crate) async fn dead_letters_are_looked_at_and_sent_again(rig: &Rig) {
    let bus = rig.bus();
    let posted = [rig.post(&high(), 1).await, rig.post(&high(), 2).await];
    let mut subscription = bus.subscribe(&[high()], 2).await.unwrap();
    take(&mut subscription).await.dead("first\nreason").await;
    take(&mut subscription)
        .await
        .retry("not yet", RetryStep::First)
        .await;
    take(&mut subscription).await.dead("second").await;
    for posted in posted {
        posted.await.unwrap().unwrap();
    }
    for _ in 0..2 {
        let dead = rig.dead(2).await;
        let told: Vec<_> = dead
            .iter()
            .map(|letter| (letter.id.as_u128(), letter.reason.as_str(), letter.attempts))
            .collect();
        assert_eq!(told, [(1, "first reason", 1), (2, "second", 2)]);
        assert_eq!(dead[0].route, Some(high()));
        assert_eq!(dead[0].queue, Some(high().queue()));
        assert_eq!(dead[0].body.len(), job(1).len());
        assert!(dead[0].died_at.is_some());
    }
    assert_eq!(bus.dead_letters(1).await.unwrap().len(), 1);

    assert!(!bus.resend_dead(Uuid::from_u128(3)).await.unwrap());
    assert!(bus.resend_dead(Uuid::from_u128(2)).await.unwrap());
    let again = take(&mut subscription).await;
    assert_eq!((number(&again), again.attempt), (2, 1));
    again.ack().await;
    let left = rig.dead(1).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id.as_u128(), 1);
}

pub(crate) async fn unroutable_is_dead(rig: &Rig) {
    let nowhere = Route::Snapshot { shard: 99 };
    let (bus, id) = (rig.bus(), Uuid::from_u128(1));
    bus.publish(&nowhere, id, job(1)).await.unwrap();
    let dead = rig.dead(1).await;
    assert_eq!(
        dead[0].reason,
        "unroutable: no queue for key \"snapshot.99\""
    );
    assert_eq!(dead[0].route, Some(nowhere));
    assert_eq!(dead[0].queue, None);
    assert_eq!(dead[0].id.as_u128(), 1);
    assert!(dead[0].died_at.is_some());
}

pub(crate) async fn too_large_is_refused(rig: &Rig) {
    let bus = rig.bus();
    let body = vec![b' '; MAX_MESSAGE_BYTES + 1];
    let refused = bus.publish(&high(), Uuid::from_u128(1), body).await;
    let error = refused.unwrap_err();
    assert!(
        matches!(error, PublishError::TooLarge { bytes, .. } if bytes == MAX_MESSAGE_BYTES + 1),
        "{error}"
    );
}

pub(crate) async fn closed_is_closed(rig: &Rig) {
    let bus = rig.bus();
    let mut subscription = bus.subscribe(&[high()], 1).await.unwrap();
    let waiting = tokio::spawn(async move { subscription.next().await.err() });
    bus.close().await;
    let ended = waiting.await.unwrap();
    assert!(matches!(ended, Some(BusError::Closed)), "{ended:?}");
    let refused = bus.publish(&high(), Uuid::from_u128(1), job(1)).await;
    assert!(matches!(refused, Err(PublishError::Closed { .. })));
    assert!(matches!(bus.check().await, Err(BusError::Closed)));
    let empty = bus.subscribe(&[], 1).await.err();
    assert!(matches!(empty, Some(BusError::EmptySubscription)));
}
