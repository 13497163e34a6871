//! What is wrong now, and who has seen it.

use jiff::SignedDuration;
use portwatch_store::notifications::NewNotification;
use portwatch_store::problems::{Acknowledgement, ProblemChange};
use portwatch_store::{PruneBefore, Store};
use uuid::Uuid;

use crate::notifications::notification;
use crate::samples::at;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The `number`th notification says at `seconds` that a condition begins or ends.
async fn say(store: &Store, number: u128, condition: u128, seconds: i64, begins: bool) {
    let change = ProblemChange {
        id: Uuid::from_u128(condition),
        at: at(seconds),
        begins: begins.then(|| number.to_be_bytes().to_vec()),
    };
    let new = NewNotification {
        problems: vec![change],
        ..notification(number, seconds, "host a", &[])
    };
    assert!(store.save_notification(new).await.unwrap());
}

/// The conditions, and the notifications that began them.
async fn wrong(store: &Store) -> Vec<(u128, u128)> {
    let problems = store.problems(100).await.unwrap();
    let one = |problem: &portwatch_store::problems::Problem| {
        let body = problem.body.as_slice().try_into().unwrap();
        (problem.id.as_u128(), u128::from_be_bytes(body))
    };
    problems.iter().map(one).collect()
}

fn by(name: &str, seconds: i64) -> Acknowledgement {
    Acknowledgement {
        at: at(seconds),
        by: name.to_owned(),
        reason: "looking".to_owned(),
    }
}

pub async fn a_problem_lasts_from_its_beginning_to_its_end(store: Store) {
    say(&store, 1, 7, 10, true).await;
    say(&store, 2, 8, 5, true).await;
    assert_eq!(wrong(&store).await, [(8, 2), (7, 1)]);
    say(&store, 3, 7, 20, false).await;
    assert_eq!(wrong(&store).await, [(8, 2)]);
    say(&store, 4, 7, 30, true).await;
    assert_eq!(wrong(&store).await, [(8, 2), (7, 4)]);
}

pub async fn a_change_that_comes_late_is_no_news(store: Store) {
    say(&store, 1, 7, 20, false).await;
    say(&store, 2, 7, 10, true).await;
    assert_eq!(wrong(&store).await, []);
    say(&store, 3, 7, 30, true).await;
    say(&store, 4, 7, 25, false).await;
    assert_eq!(wrong(&store).await, [(7, 3)]);
}

pub async fn an_acknowledgement_lasts_until_the_end(store: Store) {
    let id = Uuid::from_u128(7);
    assert!(!store.acknowledge(id, by("eve", 0)).await.unwrap());
    say(&store, 1, 7, 10, true).await;
    assert!(store.acknowledge(id, by("eve", 11)).await.unwrap());
    assert!(!store.acknowledge(id, by("bob", 12)).await.unwrap());
    let problems = store.problems(1).await.unwrap();
    assert_eq!(problems[0].acknowledged, Some(by("eve", 11)));
    say(&store, 2, 7, 20, false).await;
    assert!(!store.acknowledge(id, by("bob", 21)).await.unwrap());
    say(&store, 3, 7, 30, true).await;
    assert_eq!(store.problems(1).await.unwrap()[0].acknowledged, None);
}

pub async fn who_has_not_seen_it_is_reminded(store: Store) {
    for (number, condition) in [(1, 7), (2, 8), (3, 9)] {
        say(&store, number, condition, 10, true).await;
    }
    let seen = Uuid::from_u128(8);
    assert!(store.acknowledge(seen, by("eve", 11)).await.unwrap());
    say(&store, 4, 9, 20, false).await;
    let taken = async |seconds| {
        let taken = store.take_reminders(at(seconds), HOUR, 100).await.unwrap();
        let ids = taken.iter().map(|problem| problem.id.as_u128());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(taken(3609).await, [0; 0]);
    assert_eq!(taken(3610).await, [7]);
    assert_eq!(taken(3611).await, [0; 0], "once");
    assert_eq!(taken(7210).await, [7]);
}

pub async fn what_is_over_is_deleted_in_time(store: Store) {
    say(&store, 1, 7, 10, true).await;
    say(&store, 2, 8, 10, true).await;
    say(&store, 3, 8, 20, false).await;
    let all = PruneBefore {
        now: at(10_000),
        working: at(9000),
        history: at(9000),
    };
    store.prune(all).await.unwrap();
    assert_eq!(wrong(&store).await, [(7, 1)]);
    say(&store, 4, 8, 15, true).await;
    assert_eq!(wrong(&store).await.len(), 2, "its end is forgotten");
}
