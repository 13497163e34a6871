//! Callers that stop listening.

use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use portwatch_domain::target::Target;
use portwatch_store::Store;
use portwatch_store::history::HistoryFilter;
use portwatch_store::outbox::Topic;
use portwatch_store::snapshots::Applied;

use crate::samples::{LEASE, apply, at, ip, report, sync, target};

/// How many calls are left alone: more than there are connections.
const CALLS: u16 = 40;

async fn one_host(store: Store, target: Target, number: u16) -> Applied {
    apply(
        &store,
        &target,
        number.into(),
        vec![report(ip(number), "22,80")],
    )
    .await
}

/// Calls that are begun and then not polled again, as in a set of futures whose owner is busy.
pub async fn a_caller_that_is_not_polled_keeps_nobody_waiting(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let calls = (1..=CALLS).map(|number| one_host(store.clone(), target.clone(), number));
    let mut calls: Vec<Pin<Box<_>>> = calls.map(Box::pin).collect();
    for call in &mut calls {
        // Long enough for some to get to the middle of their transaction.
        let _ = tokio::time::timeout(Duration::from_millis(1), call.as_mut()).await;
    }
    let others = async {
        store.targets().await.unwrap();
        store
            .claim_outbox(Topic::Change, at(0), 1, LEASE)
            .await
            .unwrap();
    };
    tokio::time::timeout(Duration::from_secs(4), others)
        .await
        .unwrap();
    drop(calls);
}

/// What a call does whose caller goes away happens as a whole or not at all.
pub async fn a_caller_that_goes_away_leaves_nothing_half_done(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let calls = (1..=CALLS).map(|number| {
        let call = one_host(store.clone(), target.clone(), number);
        tokio::time::timeout(Duration::from_micros(u64::from(number) * 200), call)
    });
    join_all(calls).await;
    // Each part comes again, and is a duplicate if it was applied.
    join_all((1..=CALLS).map(|number| one_host(store.clone(), target.clone(), number))).await;
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(hosts.len(), usize::from(CALLS));
    assert!(hosts.iter().all(|host| host.open().len() == 2));
    let history = store
        .history(HistoryFilter::of(target.id, 1000))
        .await
        .unwrap();
    assert_eq!(history.len(), hosts.len() * 3);
    assert_eq!(
        store.outbox_depth(Topic::Change).await.unwrap(),
        hosts.len() as u64
    );
}
