//! The conformance suite on the bus in memory, and what only that one promises.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::conformance::rig::{SOON, high};
use crate::conformance::{self, Rig};

macro_rules! in_process {
    ($case:ident) => {
        #[tokio::test]
        async fn $case() {
            let rig = Rig::in_process();
            let case = async {
                conformance::$case(&rig).await;
                rig.end().await;
            };
            tokio::time::timeout(SOON, case).await.unwrap();
        }
    };
}

conformance::for_each_case!(in_process);

#[tokio::test]
async fn a_full_queue_refuses() {
    let bus = Arc::new(InProcess::new(1, RetryDelays::default()));
    let mut publishing = Vec::new();
    let refused = loop {
        let mut sent = Box::pin(bus.publish(const { &Route::Change }, Uuid::nil(), Vec::new()));
        match futures_util::FutureExt::now_or_never(&mut sent) {
            None => publishing.push(sent),
            Some(outcome) => break outcome,
        }
        assert!(publishing.len() <= 10_000);
    };
    assert!(matches!(refused, Err(PublishError::Nacked { .. })));
}

#[tokio::test]
async fn a_full_queue_of_progress_drops_its_oldest() {
    let bus = InProcess::new(1, RetryDelays::default());
    for n in 0..10_003 {
        bus.publish(&Route::Progress, Uuid::from_u128(n), Vec::new())
            .await
            .unwrap();
    }
    let mut subscription = bus.subscribe(&[Route::Progress], 1).await.unwrap();
    for n in 3..10_003 {
        let delivery = subscription.next().await.unwrap();
        assert_eq!(delivery.id, Some(Uuid::from_u128(n)));
        delivery.ack().await;
    }
}

#[tokio::test]
async fn only_the_latest_dead_are_kept() {
    let bus = InProcess::new(1, RetryDelays::default());
    let nowhere = Route::Snapshot { shard: 1 };
    for n in 0..1001 {
        bus.publish(&nowhere, Uuid::from_u128(n), Vec::new())
            .await
            .unwrap();
    }
    let dead = bus.dead_letters(usize::MAX).await.unwrap();
    assert_eq!(dead.len(), 1000);
    assert_eq!(dead[0].id, Uuid::from_u128(1));
}

#[tokio::test]
async fn closing_ends_those_who_publish() {
    let bus = Arc::new(InProcess::new(1, RetryDelays::default()));
    let publisher = Arc::clone(&bus);
    let publishing =
        tokio::spawn(async move { publisher.publish(&high(), Uuid::nil(), Vec::new()).await });
    let mut subscription = bus.subscribe(&[high()], 1).await.unwrap();
    let in_hand = subscription.next().await.unwrap();
    bus.close().await;
    assert!(matches!(
        publishing.await.unwrap(),
        Err(PublishError::Closed { .. })
    ));
    // Too late, and harmless.
    in_hand.ack().await;
}
