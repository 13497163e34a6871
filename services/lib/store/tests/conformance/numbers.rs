//! Numbers of targets and groups.

use std::collections::HashMap;

use futures_util::future::join_all;
use portwatch_store::Store;
use portwatch_store::numbers::Numbered::{Group, Target};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn numbered(numbers: &[(&str, u64)]) -> HashMap<String, u64> {
    numbers
        .iter()
        .map(|&(name, number)| (name.to_owned(), number))
        .collect()
}

pub async fn a_number_is_given_once_and_kept(store: Store) {
    let given = store
        .numbers(Target, names(&["b", "a", "a"]))
        .await
        .unwrap();
    assert_eq!(given, numbered(&[("a", 1_000_001), ("b", 1_000_002)]));
    let given = store.numbers(Target, names(&["c", "b"])).await.unwrap();
    assert_eq!(given, numbered(&[("b", 1_000_002), ("c", 1_000_003)]));
    let given = store.numbers(Group, names(&["b"])).await.unwrap();
    assert_eq!(
        given,
        numbered(&[("b", 1_000_001)]),
        "each kind has its own"
    );
    assert_eq!(
        store.numbers(Group, Vec::new()).await.unwrap(),
        HashMap::new()
    );
}

pub async fn who_asks_at_once_is_told_the_same(store: Store) {
    let asked: Vec<_> = (0..20).map(|n| format!("target {n}")).collect();
    let calls = (0..8).map(|_| store.numbers(Target, asked.clone()));
    let answers = join_all(calls).await;
    let first = answers[0].as_ref().unwrap();
    assert_eq!(first.len(), 20);
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap() == first)
    );
}

pub async fn numbers_from_outside_go_before_those_given(store: Store) {
    store.numbers(Target, names(&["a", "b"])).await.unwrap();
    let outside = numbered(&[("a", 4), ("x", 7)]);
    store.set_numbers(Target, outside.clone()).await.unwrap();
    store.set_numbers(Target, outside).await.unwrap();
    let all = store
        .numbers(Target, names(&["a", "b", "x", "y"]))
        .await
        .unwrap();
    let expected = [("a", 4), ("b", 1_000_002), ("x", 7), ("y", 1_000_003)];
    assert_eq!(all, numbered(&expected));

    // Two change places, and a third loses its number.
    let outside = numbered(&[("a", 7), ("x", 1_000_002)]);
    store.set_numbers(Target, outside).await.unwrap();
    let all = store
        .numbers(Target, names(&["a", "x", "b"]))
        .await
        .unwrap();
    assert_eq!((all["a"], all["x"]), (7, 1_000_002));
    let has = |number| store.numbered(Target, number);
    assert_eq!(has(7).await.unwrap().as_deref(), Some("a"));
    assert_eq!(has(4).await.unwrap(), None);
    assert_eq!(has(u64::MAX).await.unwrap(), None);
    assert_eq!(all["b"], 1_000_004, "another one, and never the same twice");
}
