//! Deaths that the broker decides on, and how often the dead may be looked at.

#![expect(clippy::unwrap_used, reason = "tests")]

use uuid::Uuid;

use super::OnBroker;
use super::vhost::rabbitmqctl;
use crate::Route;
use crate::conformance::Rig;
use crate::conformance::rig::{SOON, high, normal};
use crate::rabbit::topology::DEAD_DELIVERY_LIMIT;

async fn on_broker(case: impl AsyncFnOnce(&Rig, &str)) {
    let broker = OnBroker::start().await;
    let vhost = broker.vhost.name.clone();
    let rig = Rig::OnBroker(broker);
    tokio::time::timeout(SOON, case(&rig, &vhost))
        .await
        .unwrap();
    rig.end().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn expired_is_told_in_words() {
    on_broker(async |rig, vhost| {
        // The shorter of the queue's own time to live and the policy's counts.
        let policy = r#"{"message-ttl":50}"#;
        rabbitmqctl(&["set_policy", "-p", vhost, "ttl", "normal$", policy]).await;
        rig.post(&normal(), 1).await.await.unwrap().unwrap();
        let dead = rig.dead(1).await;
        assert_eq!(
            dead[0].reason,
            "expired: nobody took it out of pw.job.default.normal in time"
        );
        assert_eq!(dead[0].queue, Some(normal().queue()));
        assert_eq!(dead[0].route, Some(normal()));
        assert_eq!(dead[0].attempts, 0);
        assert!(dead[0].died_at.is_some());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn handed_out_too_often_is_told_in_words() {
    on_broker(async |rig, _| {
        rig.post(&high(), 1).await;
        let mut subscription = rig.bus().subscribe(&[high()], 1).await.unwrap();
        let worn = tokio::spawn(async move {
            loop {
                subscription.next().await.unwrap().hand_back().await;
            }
        });
        let dead = rig.dead(1).await;
        worn.abort();
        assert_eq!(
            dead[0].reason,
            "delivery limit: handed out of pw.job.default.high too often without being settled"
        );
        assert_eq!(dead[0].attempts, 1);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ: run ./tests/run"]
async fn looking_often_loses_nothing() {
    on_broker(async |rig, _| {
        let nowhere = Route::Snapshot { shard: 77 };
        for n in 0..3 {
            let id = Some(Uuid::from_u128(n));
            rig.inject(&nowhere, id, vec![1, 2, 3]).await;
        }
        rig.inject(&nowhere, None, vec![4]).await;
        let first = rig.dead(4).await;
        for _ in 0..2 * DEAD_DELIVERY_LIMIT {
            assert_eq!(rig.bus().dead_letters(10).await.unwrap().len(), 4);
        }
        let mut last = rig.dead(4).await;
        last.sort_by_key(|letter| first.iter().position(|other| other.id == letter.id));
        assert_eq!(last, first);
    })
    .await;
}
