//! How channels fare, and which are off.

use jiff::SignedDuration;
use portwatch_store::Store;
use portwatch_store::channels::{ChannelState, Off};
use portwatch_store::deliveries::{DeliveryFilter, DeliveryState};
use portwatch_store::held::{Hold, NewHeld};
use portwatch_store::notifications::{Attempt, NewNotification, NextStep};

use crate::notifications::{deliver, delivery, notification, save};
use crate::samples::{LEASE, at};

fn off(seconds: i64, by: Option<&str>) -> Off {
    Off {
        at: at(seconds),
        by: by.map(str::to_owned),
        reason: "nobody reads it".to_owned(),
    }
}

async fn switch_off(store: &Store, channel: &str, seconds: i64) -> bool {
    let off = off(seconds, Some("ann"));
    store.switch_off(channel, off).await.unwrap()
}

/// Since when the only channel in trouble fails.
async fn failing(store: &Store) -> Option<jiff::Timestamp> {
    let states = store.channels_in_trouble().await.unwrap();
    assert!(states.len() <= 1);
    states.first().and_then(|state| state.failing_since)
}

pub async fn a_channel_fails_from_its_first_failure_to_its_next_success(store: Store) {
    assert_eq!(store.channels_in_trouble().await.unwrap(), []);
    save(&store, 1, "host a", &["mail", "chat"]).await;
    deliver(&store, "mail", at(0), NextStep::RetryAt(at(5))).await;
    assert_eq!(failing(&store).await, Some(at(0)));
    deliver(&store, "mail", at(5), NextStep::GivenUp).await;
    deliver(&store, "chat", at(6), NextStep::Delivered).await;
    assert_eq!(
        failing(&store).await,
        Some(at(0)),
        "the success of another is none of it"
    );
    save(&store, 2, "host a", &["mail"]).await;
    deliver(&store, "mail", at(7), NextStep::Delivered).await;
    assert_eq!(failing(&store).await, None);
    save(&store, 3, "host a", &["mail"]).await;
    deliver(&store, "mail", at(9), NextStep::RetryAt(at(14))).await;
    assert_eq!(failing(&store).await, Some(at(9)));
}

pub async fn one_success_of_many_attempts_shows_that_it_works(store: Store) {
    for number in 1..=3 {
        save(&store, number, &format!("host {number}"), &["mail"]).await;
    }
    let due = store
        .claim_deliveries(&["mail".to_owned()], at(0), 10, LEASE)
        .await
        .unwrap();
    let results = [
        NextStep::GivenUp,
        NextStep::Delivered,
        NextStep::RetryAt(at(5)),
    ];
    let ended =
        due.iter()
            .zip(results)
            .map(|(due, next)| portwatch_store::notifications::EndedAttempt {
                delivery: due.id,
                lease: due.lease,
                attempt: Attempt {
                    at: at(1),
                    latency: SignedDuration::ZERO,
                    status: None,
                    error: (next != NextStep::Delivered).then(|| "no".to_owned()),
                    answer: None,
                    next,
                },
            });
    let recorded = store.record_attempts(ended.collect()).await.unwrap();
    assert_eq!(recorded, [true; 3]);
    let states = store.channels().await.unwrap();
    let expected = ChannelState {
        name: "mail".to_owned(),
        pending: 1,
        given_up: 1,
        ..ChannelState::default()
    };
    assert_eq!(states, [expected]);
}

pub async fn nothing_is_made_for_a_channel_that_is_off(store: Store) {
    save(&store, 1, "host", &["mail", "chat"]).await;
    save(&store, 2, "host", &["mail"]).await;
    let held = NewHeld {
        channel: "mail".to_owned(),
        hold: Hold::Digest(at(100)),
    };
    let digest = NewNotification {
        held: vec![held],
        ..notification(3, 0, "host", &[])
    };
    assert!(store.save_notification(digest).await.unwrap());
    assert!(switch_off(&store, "mail", 4).await);
    assert!(!switch_off(&store, "mail", 5).await, "it is off");
    let states = store.channels().await.unwrap();
    let of = |name: &str| states.iter().find(|state| state.name == name).unwrap();
    assert_eq!(of("mail").off, Some(off(4, Some("ann"))));
    assert_eq!((of("mail").pending, of("mail").given_up), (0, 2));
    assert_eq!((of("chat").pending, of("chat").off.clone()), (1, None));
    let listed = store
        .deliveries(DeliveryFilter::default(), 10)
        .await
        .unwrap();
    let mail = listed
        .iter()
        .find(|one| one.id == delivery(1, "mail"))
        .unwrap();
    assert_eq!(
        (mail.state, mail.ended_at, mail.attempts),
        (DeliveryState::GivenUp, Some(at(4)), 0)
    );
    assert_eq!(
        mail.note.as_deref(),
        Some("the channel was switched off: nobody reads it")
    );
    assert_eq!(store.next_held(&["mail".to_owned()]).await.unwrap(), None);

    save(&store, 4, "host", &["mail", "chat"]).await;
    assert_eq!(
        store.next_delivery(&["mail".to_owned()]).await.unwrap(),
        None
    );
    assert!(store.switch_on("mail").await.unwrap());
    assert!(!store.switch_on("mail").await.unwrap(), "it is on");
    assert_eq!(store.channels_in_trouble().await.unwrap(), []);
    save(&store, 5, "host", &["mail"]).await;
    deliver(&store, "mail", at(10), NextStep::Delivered).await;
}

pub async fn an_attempt_under_way_still_counts(store: Store) {
    save(&store, 1, "host a", &["mail"]).await;
    save(&store, 2, "host b", &["mail"]).await;
    let due = store
        .claim_deliveries(&["mail".to_owned()], at(0), 10, LEASE)
        .await
        .unwrap();
    assert!(switch_off(&store, "mail", 1).await);
    for (due, next) in due
        .iter()
        .zip([NextStep::Delivered, NextStep::RetryAt(at(7))])
    {
        let attempt = Attempt {
            at: at(2),
            latency: SignedDuration::ZERO,
            status: None,
            error: None,
            answer: None,
            next,
        };
        assert!(
            store
                .record_attempt(due.id, due.lease, attempt)
                .await
                .unwrap()
        );
    }
    let states: Vec<_> = store
        .deliveries(DeliveryFilter::default(), 10)
        .await
        .unwrap();
    let state = |id| states.iter().find(|one| one.id == id).unwrap().state;
    assert_eq!(state(due[0].id), DeliveryState::Delivered);
    assert_eq!(
        state(due[1].id),
        DeliveryState::GivenUp,
        "it is not tried again"
    );
    assert_eq!(
        store.next_delivery(&["mail".to_owned()]).await.unwrap(),
        None
    );
}
