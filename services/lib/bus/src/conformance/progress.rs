//! Cases about messages that are worth little.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use portwatch_domain::job::JobId;
use portwatch_domain::job::progress::Progress;
use portwatch_domain::target::TargetId;
use portwatch_schemas::{Meta, TraceParent, encode};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::rig::{Rig, SOON};
use crate::{Consumer, HandlerError, Received, RetryStep, Route};

/// The bytes of a good report, of `sent` probes.
fn report(sent: u64) -> Vec<u8> {
    let at = Timestamp::UNIX_EPOCH;
    let progress = Progress {
        job: JobId(Uuid::from_u128(1)),
        target: TargetId::derive("test", "bus"),
        worker: "worker-1".to_owned(),
        at,
        sent,
        planned: 10,
        answered: 0,
        open: 0,
    };
    let meta = Meta {
        id: Uuid::from_u128(sent.into()),
        source: "/portwatch/test".to_owned(),
        time: at,
        trace: TraceParent::new(1, 1),
    };
    encode(&meta, &progress).unwrap()
}

pub(crate) async fn progress_waits_for_nobody_and_is_dropped_when_it_fails(rig: &Rig) {
    let bus = rig.bus();
    let publish = async |sent: u64, body| {
        let id = Uuid::from_u128(sent.into());
        bus.publish(&Route::Progress, id, body).await.unwrap();
    };
    // Published although nobody takes it.
    for sent in 1..=3 {
        publish(sent, report(sent)).await;
    }
    let mut subscription = bus.subscribe(&[Route::Progress], 1).await.unwrap();
    let first = subscription.next().await.unwrap();
    assert_eq!(first.id, Some(Uuid::from_u128(1)));
    first.retry("busy", RetryStep::First).await;
    subscription.next().await.unwrap().dead("bad").await;
    subscription.next().await.unwrap().ack().await;
    drop(subscription);

    // The handler fails three times, in each way there is, and is not asked again; one message is none.
    let (tell, mut told) = mpsc::unbounded_channel();
    let calls = AtomicU32::new(0);
    let handler = move |received: Received<Progress>| {
        tell.send((received.message.sent, received.attempt))
            .unwrap();
        let call = calls.fetch_add(1, Ordering::SeqCst);
        assert!(call != 2, "the third panics");
        async move {
            match call {
                0 => Err(HandlerError::Retry("the database is away".to_owned())),
                1 => Err(HandlerError::Dead("no such job".to_owned())),
                _ => Ok(()),
            }
        }
    };
    let consumer = Consumer {
        bus: rig.bus(),
        routes: vec![Route::Progress],
        concurrency: 1,
        grace: SOON,
    };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(consumer.run(handler, shutdown.clone()));
    for sent in 4..=6 {
        publish(sent, report(sent)).await;
    }
    publish(7, b"{not json".to_vec()).await;
    publish(8, report(8)).await;
    for sent in [4, 5, 6, 8] {
        assert_eq!(told.recv().await, Some((sent, 1)));
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert!(told.recv().await.is_none(), "one was tried again");
    // What goes to the dead after all this is the first there.
    let nowhere = Route::Snapshot { shard: 99 };
    bus.publish(&nowhere, Uuid::from_u128(9), report(9))
        .await
        .unwrap();
    let dead = rig.dead(1).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].id, Uuid::from_u128(9));
}
