use std::collections::BTreeSet;

use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use portwatch_store::Store;
use portwatch_store::history::HistoryFilter;
use portwatch_store::outbox::Topic;
use portwatch_store::snapshots::Applied;
use tokio::task::JoinSet;

use crate::samples::{LEASE, apply, at, differ, ip, part, report, start, sync, target};

pub async fn a_part_that_comes_many_times_at_once_is_applied_once(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let mut appliers = JoinSet::new();
    for _ in 0..8 {
        let (store, target) = (store.clone(), target.clone());
        appliers.spawn(async move { apply(&store, &target, 1, vec![report(ip(1), "22")]).await });
    }
    let outcomes = appliers.join_all().await;
    let applied = outcomes
        .iter()
        .filter(|&&outcome| outcome == Applied::Applied);
    assert_eq!(applied.count(), 1, "{outcomes:?}");
    assert_eq!(store.outbox_depth(Topic::Change).await.unwrap(), 1);
}

pub async fn the_parts_of_one_target_are_all_applied(store: Store) {
    const PARTS: u16 = 40;
    const HOSTS: u16 = 32;
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let (run, job) = start(&store, at(0), PARTS.into(), at(10_000)).await;
    let mut appliers = JoinSet::new();
    for number in 0..PARTS {
        let (store, target) = (store.clone(), target.clone());
        appliers.spawn(async move {
            let hosts = (0..HOSTS).map(|host| report(ip(number * HOSTS + host), "22,80"));
            let reports: Vec<_> = hosts.collect();
            let part = part(&target, job, number.into(), &reports);
            store
                .apply_snapshot(part, differ(reports, run, job, at(1)))
                .await
                .unwrap()
        });
    }
    let outcomes = appliers.join_all().await;
    assert!(outcomes.iter().all(|&outcome| outcome == Applied::Applied));
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(hosts.len(), usize::from(PARTS * HOSTS));
    assert!(hosts.iter().all(|host| host.open().len() == 2));
    let history = store
        .history(HistoryFilter::of(target.id, 10_000))
        .await
        .unwrap();
    assert_eq!(
        history.len(),
        hosts.len() * 3,
        "each host came up and opened two ports"
    );
    assert_eq!(
        store.outbox_depth(Topic::Change).await.unwrap(),
        hosts.len() as u64
    );
    // The last part, whichever it was, has finished the job.
    assert_eq!(store.count_jobs(at(2)).await.unwrap().out, 0);
    assert_eq!(
        store.claim_due(at(300), 1, LEASE).await.unwrap()[0]
            .known
            .run,
        2
    );
}

pub async fn runs_in_any_order_end_in_the_newest(store: Store) {
    const RUNS: u64 = 24;
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let mut appliers = JoinSet::new();
    // 7 has no factor in common with 24 + 1, so that every run comes up once, out of order.
    for run in (1..=RUNS).map(|n| n * 7 % (RUNS + 1)) {
        let (store, target) = (store.clone(), target.clone());
        appliers.spawn(async move {
            let open = if run % 2 == 0 { "22" } else { "22,80" };
            apply(&store, &target, run, vec![report(ip(1), open)]).await
        });
    }
    appliers.join_all().await;
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(hosts[0].runs.newest(), RUNS);
    assert_eq!(hosts[0].open().to_string(), "22");

    // Each transition of port 80 is in the history once, and none is missing.
    let history = store
        .history(HistoryFilter::of(target.id, 1000))
        .await
        .unwrap();
    let ids: BTreeSet<_> = history.iter().map(|row| row.change.id).collect();
    assert_eq!(ids.len(), history.len());
    let transitions = hosts[0]
        .ports
        .get(&Port::tcp(80))
        .map_or(0, |port| port.transition);
    let of_port_80 = (1..=transitions)
        .map(|n| portwatch_domain::change::ChangeId::of_port(target.id, ip(1), Port::tcp(80), n));
    assert!(of_port_80.clone().all(|id| ids.contains(&id)));
    assert_eq!(
        history.len() as u64,
        2 + transitions,
        "the host, port 22, and those"
    );
    // Told of by as many messages as there are jobs that found something.
    let jobs: BTreeSet<JobId> = history.iter().filter_map(|row| row.job).collect();
    assert_eq!(
        store.outbox_depth(Topic::Change).await.unwrap(),
        jobs.len() as u64
    );
}
