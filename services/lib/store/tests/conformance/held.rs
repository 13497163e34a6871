//! What waits to be told, and what takes its place.

use jiff::{SignedDuration, Timestamp};
use portwatch_store::held::{HeldNotification, Hold, NewHeld, Release, Waiting};
use portwatch_store::notifications::{NewNotification, NextStep};
use portwatch_store::{PruneBefore, Store};
use uuid::Uuid;

use crate::notifications::{deliver, notification};
use crate::samples::at;

const GROUP: Hold = Hold::Group {
    wait: SignedDuration::from_secs(30),
    interval: SignedDuration::from_secs(300),
};

/// A notification that waits for a channel.
async fn hold(store: &Store, number: u128, seconds: i64, key: &str, hold: Hold) -> bool {
    let later = NewHeld {
        channel: "chat".to_owned(),
        hold,
    };
    let new = NewNotification {
        held: vec![later],
        ..notification(number, seconds, key, &[])
    };
    store.save_notification(new).await.unwrap()
}

async fn held(store: &Store, waiting: Waiting, now: Timestamp) -> Vec<HeldNotification> {
    store.held("chat", waiting, now, 1000).await.unwrap()
}

/// The numbers of the notifications that waited, and when each is due.
async fn waits(store: &Store, waiting: Waiting, now: Timestamp) -> Vec<(u128, Timestamp)> {
    let held = held(store, waiting, now).await;
    let number = |body: &[u8]| u128::from_be_bytes(body.try_into().unwrap());
    held.iter()
        .map(|one| (number(&one.body), one.due_at))
        .collect()
}

async fn next(store: &Store) -> Option<Timestamp> {
    let channels = ["chat", "mail"].map(str::to_owned);
    store.next_held(&channels).await.unwrap()
}

/// Releases these, told as one notification about `key`.
async fn release(store: &Store, seqs: &[i64], number: u128, key: &str, now: Timestamp) -> bool {
    let release = Release {
        seqs: seqs.to_vec(),
        notifications: vec![notification(number, 100, key, &["chat"])],
        channel: "chat".to_owned(),
        told: vec![key.to_owned()],
        now,
    };
    store.release(release).await.unwrap()
}

pub async fn what_waits_is_told_with_what_comes_later(store: Store) {
    assert_eq!(next(&store).await, None);
    assert!(hold(&store, 1, 0, "host a", GROUP).await);
    assert!(!hold(&store, 1, 0, "host a", GROUP).await, "it is known");
    assert!(hold(&store, 2, 10, "host b", GROUP).await);
    assert!(hold(&store, 3, 20, "host a", GROUP).await);
    assert_eq!(next(&store).await, Some(at(30)));
    assert_eq!(waits(&store, Waiting::Groups, at(29)).await, []);
    let all = [(1, at(30)), (2, at(40)), (3, at(30))];
    assert_eq!(waits(&store, Waiting::Groups, at(30)).await, all);
    assert_eq!(waits(&store, Waiting::Digest, at(90)).await, []);

    let seqs: Vec<_> = held(&store, Waiting::Groups, at(30)).await;
    let seqs = [seqs[0].seq, seqs[2].seq];
    assert!(release(&store, &seqs, 9, "host a", at(31)).await);
    assert!(!release(&store, &seqs, 10, "host a", at(31)).await, "once");
    assert_eq!(waits(&store, Waiting::Groups, at(40)).await, [(2, at(40))]);
    deliver(&store, "chat", at(101), NextStep::Delivered).await;
}

pub async fn what_was_told_is_told_again_after_the_interval(store: Store) {
    assert!(hold(&store, 1, 0, "host a", GROUP).await);
    let seq = held(&store, Waiting::Groups, at(30)).await[0].seq;
    assert!(release(&store, &[seq], 9, "host a", at(30)).await);
    assert!(hold(&store, 2, 60, "host a", GROUP).await);
    assert!(hold(&store, 3, 60, "host b", GROUP).await);
    assert!(hold(&store, 4, 320, "host a", GROUP).await);
    let waiting = waits(&store, Waiting::Groups, at(400)).await;
    assert_eq!(waiting, [(2, at(330)), (3, at(90)), (4, at(330))]);
    let seqs: Vec<_> = held(&store, Waiting::Groups, at(400)).await;
    let seqs: Vec<_> = seqs.iter().map(|one| one.seq).collect();
    // After a summary of everything, everything waits.
    assert!(release(&store, &seqs, 10, "", at(400)).await);
    assert!(hold(&store, 5, 410, "host c", GROUP).await);
    assert_eq!(next(&store).await, Some(at(700)));
    // What was told long ago keeps nobody waiting.
    assert!(hold(&store, 6, 5000, "host d", GROUP).await);
    assert_eq!(
        waits(&store, Waiting::Groups, at(700)).await,
        [(5, at(700)), (6, at(5030))]
    );
}

pub async fn a_digest_waits_for_its_time_apart(store: Store) {
    assert!(hold(&store, 1, 0, "host a", Hold::Digest(at(500))).await);
    assert!(hold(&store, 2, 1, "host a", GROUP).await);
    assert!(hold(&store, 3, 600, "host a", Hold::Digest(at(1000))).await);
    assert_eq!(next(&store).await, Some(at(31)));
    assert_eq!(waits(&store, Waiting::Groups, at(31)).await, [(2, at(31))]);
    assert_eq!(waits(&store, Waiting::Digest, at(499)).await, []);
    assert_eq!(
        waits(&store, Waiting::Digest, at(500)).await,
        [(1, at(500))]
    );
}

pub async fn what_waits_is_not_deleted(store: Store) {
    assert!(hold(&store, 1, 0, "host a", Hold::Digest(at(500))).await);
    assert!(hold(&store, 2, 0, "host b", GROUP).await);
    let seq = held(&store, Waiting::Groups, at(30)).await[0].seq;
    assert!(release(&store, &[seq], 9, "host b", at(30)).await);
    let all = PruneBefore {
        now: at(10_000),
        working: at(9000),
        history: at(9000),
    };
    store.prune(all).await.unwrap();
    assert_eq!(waits(&store, Waiting::Digest, at(500)).await.len(), 1);
    assert!(hold(&store, 3, 31, "host b", GROUP).await);
    assert_eq!(next(&store).await, Some(at(61)), "told rows are deleted");
}

pub async fn silences_are_kept_until_they_end(store: Store) {
    let silence = |number: u128, from, until| portwatch_store::silences::Silence {
        id: Uuid::from_u128(number),
        matcher: r#"{"ports":"22"}"#.to_owned(),
        reason: "we know".to_owned(),
        author: "eve".to_owned(),
        from: at(from),
        until: at(until),
    };
    let (early, late) = (silence(1, 0, 100), silence(2, 50, 200));
    store.add_silence(late.clone()).await.unwrap();
    store.add_silence(early.clone()).await.unwrap();
    let ids = async |now, ended| {
        let silences = store.silences(at(now), ended).await.unwrap();
        let ids = silences.iter().map(|silence| silence.id.as_u128());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(store.silences(at(0), false).await.unwrap(), [early, late]);
    assert_eq!(ids(100, false).await, [2]);
    assert_eq!(ids(100, true).await, [1, 2]);
    assert!(
        store
            .end_silence(Uuid::from_u128(2), at(120))
            .await
            .unwrap()
    );
    assert!(
        !store
            .end_silence(Uuid::from_u128(2), at(130))
            .await
            .unwrap()
    );
    assert!(
        !store
            .end_silence(Uuid::from_u128(7), at(130))
            .await
            .unwrap()
    );
    assert_eq!(ids(120, false).await, [0; 0]);
    assert_eq!(ids(120, true).await, [1, 2]);
    let all = PruneBefore {
        now: at(500),
        working: at(110),
        history: at(110),
    };
    store.prune(all).await.unwrap();
    assert_eq!(ids(120, true).await, [2]);
}
