use std::collections::BTreeSet;

use portwatch_store::Store;
use portwatch_store::jobs::NewRun;
use portwatch_store::outbox::{OutboxMessage, Topic};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::samples::{LEASE, at, message, run, take_run, target};

/// Saves messages, due at `seconds`, in runs of a target of its own.
pub async fn save(store: &Store, seconds: i64, messages: Vec<OutboxMessage>) {
    let target = target(&format!("with messages of {seconds}"));
    let source = target.name.clone();
    let synced = store
        .sync_targets(&source, &[target], at(seconds))
        .await
        .unwrap();
    assert_eq!(synced.created, 1, "one save for each time");
    let due = store.claim_due(at(seconds), 1, LEASE).await.unwrap();
    let run = NewRun {
        outbox: messages,
        ..run(&due[0], &[], at(0))
    };
    assert!(take_run(store, run).await);
}

fn some(topic: Topic, count: u128) -> Vec<OutboxMessage> {
    (0..count)
        .map(|n| message(topic, Uuid::from_u128(n)))
        .collect()
}

pub async fn messages_come_by_topic_and_age(store: Store) {
    let jobs = some(Topic::Job, 5);
    let change = message(Topic::Change, Uuid::from_u128(100));
    save(
        &store,
        10,
        vec![jobs[3].clone(), jobs[1].clone(), change.clone()],
    )
    .await;
    save(&store, 20, vec![jobs[2].clone(), jobs[0].clone()]).await;
    assert_eq!(store.outbox_depth(Topic::Job).await.unwrap(), 4);
    assert_eq!(store.outbox_depth(Topic::Change).await.unwrap(), 1);

    assert!(
        store
            .claim_outbox(Topic::Job, at(9), 9, LEASE)
            .await
            .unwrap()
            .is_empty()
    );
    let claimed = store
        .claim_outbox(Topic::Job, at(20), 3, LEASE)
        .await
        .unwrap();
    assert_eq!(claimed, [jobs[3].clone(), jobs[1].clone(), jobs[2].clone()]);
    let rest = store
        .claim_outbox(Topic::Job, at(20), 3, LEASE)
        .await
        .unwrap();
    assert_eq!(rest, [jobs[0].clone()]);
    let changes = store
        .claim_outbox(Topic::Change, at(20), 3, LEASE)
        .await
        .unwrap();
    assert_eq!(changes, [change]);
}

pub async fn a_leased_message_is_not_claimed_again(store: Store) {
    save(&store, 0, some(Topic::Job, 3)).await;
    let claim = async |seconds| {
        let claimed = store
            .claim_outbox(Topic::Job, at(seconds), 9, LEASE)
            .await
            .unwrap();
        claimed
            .iter()
            .map(|message| message.id.as_u128())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(claim(0).await, [0, 1, 2].into());
    assert_eq!(claim(29).await, [].into());
    store.outbox_published(&[Uuid::from_u128(0)]).await.unwrap();
    store
        .outbox_postponed(&[Uuid::from_u128(1)], at(50))
        .await
        .unwrap();
    assert_eq!(claim(30).await, [2].into());
    assert_eq!(claim(50).await, [1].into());
    assert_eq!(store.outbox_depth(Topic::Job).await.unwrap(), 2);
    // What is gone may be told of again.
    store.outbox_published(&[Uuid::from_u128(0)]).await.unwrap();
    store
        .outbox_postponed(&[Uuid::from_u128(0)], at(0))
        .await
        .unwrap();
    store.outbox_published(&[]).await.unwrap();
    assert_eq!(claim(59).await, [].into());
}

pub async fn a_known_message_is_not_saved_again(store: Store) {
    let first = message(Topic::Job, Uuid::from_u128(1));
    let second = OutboxMessage {
        body: b"other".to_vec(),
        ..first.clone()
    };
    save(&store, 0, vec![first.clone()]).await;
    store
        .claim_outbox(Topic::Job, at(0), 9, LEASE)
        .await
        .unwrap();
    save(&store, 1, vec![second]).await;
    assert!(
        store
            .claim_outbox(Topic::Job, at(1), 9, LEASE)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store
            .claim_outbox(Topic::Job, at(60), 9, LEASE)
            .await
            .unwrap(),
        [first]
    );
}

pub async fn nobody_claims_what_another_has(store: Store) {
    const MESSAGES: usize = 500;
    save(&store, 0, some(Topic::Job, MESSAGES as u128)).await;
    let mut claimers = JoinSet::new();
    for claimer in 0..8 {
        let store = store.clone();
        claimers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store
                    .claim_outbox(Topic::Job, at(1), 11, LEASE)
                    .await
                    .unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                let ids: Vec<_> = claimed.iter().map(|message| message.id).collect();
                if claimer % 2 == 0 {
                    store.outbox_published(&ids).await.unwrap();
                }
                mine.extend(ids);
            }
        });
    }
    let all: Vec<_> = claimers.join_all().await.concat();
    assert_eq!(all.len(), MESSAGES);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), MESSAGES);
}
