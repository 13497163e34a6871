//! The log of deliveries, and sending again.

use jiff::{SignedDuration, Timestamp};
use portwatch_store::Store;
use portwatch_store::deliveries::{Delivery, DeliveryFilter, DeliveryState, Resent};
use portwatch_store::notifications::{Attempt, DueDelivery, NextStep};
use uuid::Uuid;

use crate::notifications::{delivery, save};
use crate::samples::{LEASE, at};

fn attempt(seconds: i64, next: NextStep) -> Attempt {
    let failed = next != NextStep::Delivered;
    Attempt {
        at: at(seconds),
        latency: SignedDuration::from_micros(1_500),
        status: Some(if failed { 503 } else { 200 }),
        error: failed.then(|| "the receiver answered 503".to_owned()),
        answer: Some(if failed { "busy" } else { "ok" }.to_owned()),
        next,
    }
}

async fn claim(store: &Store, channel: &str, now: Timestamp) -> Vec<DueDelivery> {
    let channels = [channel.to_owned()];
    store
        .claim_deliveries(&channels, now, 100, LEASE)
        .await
        .unwrap()
}

/// Claims the only delivery that is due and ends its attempt.
async fn end(store: &Store, channel: &str, seconds: i64, next: NextStep) -> DueDelivery {
    let mut due = claim(store, channel, at(seconds)).await;
    assert_eq!(due.len(), 1);
    let due = due.remove(0);
    let ended = store.record_attempt(due.id, due.lease, attempt(seconds, next));
    assert!(ended.await.unwrap());
    due
}

async fn all(store: &Store) -> Vec<Delivery> {
    store
        .deliveries(DeliveryFilter::default(), 100)
        .await
        .unwrap()
}

async fn state(store: &Store, id: Uuid) -> DeliveryState {
    let found = store.deliveries_between(id, id, 2).await.unwrap();
    assert_eq!(found.len(), 1);
    found[0].state
}

pub async fn what_was_sent_is_on_record(store: Store) {
    save(&store, 1, "host a", &["mail"]).await;
    save(&store, 2, "host b", &["chat"]).await;
    end(&store, "mail", 0, NextStep::RetryAt(at(5))).await;
    end(&store, "mail", 5, NextStep::Delivered).await;
    let listed = all(&store).await;
    let ids: Vec<_> = listed.iter().map(|one| one.id).collect();
    assert_eq!(
        ids,
        [delivery(2, "chat"), delivery(1, "mail")],
        "newest first"
    );
    let (chat, mail) = (&listed[0], &listed[1]);
    assert_eq!((chat.state, chat.attempts), (DeliveryState::Pending, 0));
    assert_eq!(
        (&chat.last, chat.created_at, chat.due_at),
        (&None, at(0), at(0))
    );
    assert_eq!((mail.state, mail.attempts), (DeliveryState::Delivered, 2));
    assert_eq!(
        (mail.ended_at, mail.channel.as_str()),
        (Some(at(5)), "mail")
    );
    assert_eq!(mail.body, 1_u128.to_be_bytes());

    let attempts = store.attempts(mail.id).await.unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(mail.last.as_ref(), attempts.last());
    let first = &attempts[0];
    assert_eq!(
        (first.number, first.at, first.status),
        (1, at(0), Some(503))
    );
    assert_eq!(first.latency, SignedDuration::from_micros(1_500));
    assert_eq!(first.error.as_deref(), Some("the receiver answered 503"));
    assert_eq!(first.answer.as_deref(), Some("busy"));
    assert_eq!(
        (attempts[1].error.as_deref(), attempts[1].answer.as_deref()),
        (None, Some("ok"))
    );
    assert_eq!(store.attempts(chat.id).await.unwrap(), []);
}

pub async fn deliveries_are_found_by_channel_state_and_id(store: Store) {
    for number in 1..=3 {
        save(&store, number, &format!("host {number}"), &["mail", "chat"]).await;
    }
    for due in claim(&store, "mail", at(0)).await.iter().take(2) {
        let ended = store.record_attempt(due.id, due.lease, attempt(0, NextStep::GivenUp));
        assert!(ended.await.unwrap());
    }
    let count = async |channel: Option<&str>, state| {
        let filter = DeliveryFilter {
            channel: channel.map(str::to_owned),
            state,
        };
        store.deliveries(filter, 100).await.unwrap().len()
    };
    assert_eq!(count(None, None).await, 6);
    assert_eq!(count(Some("mail"), None).await, 3);
    assert_eq!(count(Some("mail"), Some(DeliveryState::GivenUp)).await, 2);
    assert_eq!(count(None, Some(DeliveryState::Pending)).await, 4);
    assert_eq!(count(Some("chat"), Some(DeliveryState::GivenUp)).await, 0);
    let few = store
        .deliveries(DeliveryFilter::default(), 2)
        .await
        .unwrap();
    assert_eq!(few.len(), 2);

    let id = delivery(2, "chat");
    let first = Uuid::from_u128(id.as_u128() & !0xffff);
    let last = Uuid::from_u128(id.as_u128() | 0xffff);
    let found = store.deliveries_between(first, last, 10).await.unwrap();
    assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    let none = Uuid::from_u128(1);
    assert_eq!(store.deliveries_between(none, none, 10).await.unwrap(), []);
}

pub async fn what_has_ended_is_sent_again_with_all_its_retries(store: Store) {
    save(&store, 1, "host", &["mail"]).await;
    let id = delivery(1, "mail");
    for (seconds, next) in [(0, NextStep::RetryAt(at(5))), (5, NextStep::GivenUp)] {
        end(&store, "mail", seconds, next).await;
    }
    assert_eq!(store.resend(id, at(9)).await.unwrap(), Some(Resent::Again));
    assert_eq!(state(&store, id).await, DeliveryState::Pending);
    let due = end(&store, "mail", 9, NextStep::RetryAt(at(14))).await;
    assert_eq!((due.id, due.attempts), (id, 0), "the retries begin anew");
    let due = end(&store, "mail", 14, NextStep::Delivered).await;
    assert_eq!(due.attempts, 1);
    let numbers = store.attempts(id).await.unwrap();
    let numbers: Vec<_> = numbers.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4], "and the log goes on");
    assert_eq!(store.resend(id, at(20)).await.unwrap(), Some(Resent::Again));
    end(&store, "mail", 20, NextStep::Delivered).await;
    assert_eq!(store.resend(Uuid::nil(), at(20)).await.unwrap(), None);
}

pub async fn what_waits_is_sent_sooner_but_never_out_of_order(store: Store) {
    save(&store, 1, "host", &["mail"]).await;
    save(&store, 2, "host", &["mail"]).await;
    let (first, second) = (delivery(1, "mail"), delivery(2, "mail"));
    let resend = async |id, seconds| store.resend(id, at(seconds)).await.unwrap();
    assert_eq!(resend(second, 0).await, Some(Resent::Waiting));
    let due = claim(&store, "mail", at(0)).await.remove(0);
    assert_eq!(resend(first, 0).await, Some(Resent::UnderWay));
    let later = attempt(0, NextStep::RetryAt(at(3_600)));
    assert!(
        store
            .record_attempt(due.id, due.lease, later)
            .await
            .unwrap()
    );
    assert_eq!(resend(first, 10).await, Some(Resent::Sooner));
    let due = end(&store, "mail", 10, NextStep::Delivered).await;
    assert_eq!((due.id, due.attempts), (first, 0));

    // The first again, while the second is on its way: one at a time.
    let due = claim(&store, "mail", at(11)).await.remove(0);
    assert_eq!(due.id, second);
    assert_eq!(resend(first, 11).await, Some(Resent::Again));
    assert_eq!(state(&store, first).await, DeliveryState::Waiting);
    assert!(claim(&store, "mail", at(11)).await.is_empty());
    let ended = store.record_attempt(due.id, due.lease, attempt(11, NextStep::Delivered));
    assert!(ended.await.unwrap());
    assert_eq!(end(&store, "mail", 11, NextStep::Delivered).await.id, first);
    assert!(claim(&store, "mail", at(11)).await.is_empty());
}
