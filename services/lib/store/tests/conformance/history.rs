//! What is asked of the history.

use portwatch_domain::change::ChangeKind;
use portwatch_domain::change::compare::{Difference, compare};
use portwatch_domain::ports::Port;
use portwatch_domain::target::Target;
use portwatch_store::Store;
use portwatch_store::history::{HistoryFilter, Scan, Summary};
use portwatch_store::requests::RunKind;

use crate::samples::{
    LEASE, apply, at, differ, ip, part, report, run, start, sync, take_run, target,
};
use crate::snapshots::one_target;

/// Two targets with a host of the same address each, and one more host.
async fn some_history(store: &Store) -> [Target; 2] {
    let targets = [target("a"), target("b")];
    sync(store, &targets).await;
    for target in &targets {
        let hosts = |open| vec![report(ip(1), open), report(ip(2), "")];
        apply(store, target, 1, hosts("22")).await;
        apply(store, target, 2, hosts("22,80")).await;
        apply(store, target, 3, hosts("80")).await;
    }
    targets
}

type Narrow = fn(&mut HistoryFilter);

pub async fn a_filter_leaves_what_it_names(store: Store) {
    let [a, b] = some_history(&store).await;
    let all = HistoryFilter {
        limit: 100,
        ..HistoryFilter::default()
    };
    let [of_a, of_b] = [a.id, b.id].map(|target| HistoryFilter::of(target, 100));
    // Of each target: two hosts came up, 22 opened, 80 opened, 22 closed.
    let filters: [(&HistoryFilter, Narrow, usize); 11] = [
        (&all, |_| (), 10),
        (&of_a, |_| (), 5),
        (&of_b, |filter| filter.limit = 5, 5),
        (&of_b, |filter| filter.limit = 2, 2),
        (&all, |filter| filter.ip = Some(ip(2)), 2),
        (&of_a, |filter| filter.ip = Some(ip(1)), 4),
        (&of_a, |filter| filter.port = Some(Port::tcp(22)), 2),
        (&of_a, |filter| filter.port = Some(Port::udp(22)), 0),
        (
            &all,
            |filter| filter.kinds = vec![ChangeKind::HostUp, ChangeKind::PortClosed],
            6,
        ),
        (
            &of_a,
            |filter| (filter.from, filter.to) = (Some(at(2)), Some(at(3))),
            1,
        ),
        (
            &of_a,
            |filter| {
                (filter.ip, filter.port) = (Some(ip(1)), Some(Port::tcp(22)));
                filter.kinds = vec![ChangeKind::PortOpened];
                (filter.from, filter.to) = (Some(at(1)), Some(at(2)));
            },
            1,
        ),
    ];
    for (base, narrow, count) in filters {
        let mut filter = base.clone();
        narrow(&mut filter);
        let found = store.history(filter.clone()).await.unwrap();
        assert!(found.is_sorted_by(|one, next| one.change.at >= next.change.at));
        assert_eq!(found.len(), count, "{filter:?}");
    }
}

pub async fn scans_can_be_compared(store: Store) {
    let [a, _] = some_history(&store).await;
    let hosts = store.hosts(a.id).await.unwrap();
    let past = store.changes_after(a.id, 1).await.unwrap();
    assert_eq!(past.len(), 2, "80 opened, and 22 closed");
    assert!(past.is_sorted_by_key(|past| std::cmp::Reverse(past.run)));
    let found = compare(&hosts, &past, 1, 3);
    let found: Vec<_> = found
        .iter()
        .map(|found| (found.port.number, found.difference))
        .collect();
    assert_eq!(found, [(22, Difference::Closed), (80, Difference::New)]);
}

pub async fn a_scan_is_finished_with_its_last_job(store: Store) {
    let target = one_target(&store).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    let two_jobs = run(&due[0], &[1, 2], at(10_000));
    let jobs = two_jobs.jobs.clone();
    assert!(take_run(&store, two_jobs).await);
    let scan = Scan {
        run: 1,
        kind: RunKind::Slot,
        slot: Some(at(0)),
        created_at: at(0),
        finished_at: None,
        summary: None,
    };
    let parts = [(0, 0, "22,80"), (1, 1, "443"), (1, 0, "")];
    for ((job, number, open), n) in parts.into_iter().zip(1..) {
        assert_eq!(store.scans(target.id, 10).await.unwrap(), [scan]);
        let mut reports = vec![report(ip(n), open), report(ip(100 + n), "22")];
        reports[1].state = portwatch_domain::snapshot::HostState::Down;
        let mut part = part(&target, jobs[job].id, number, &reports);
        part.now = at(i64::from(n));
        let decide = differ(reports, 1, jobs[job].id, at(1));
        store.apply_snapshot(part, decide).await.unwrap();
    }
    let scan = Scan {
        finished_at: Some(at(3)),
        summary: Some(Summary {
            hosts_up: 3,
            open_ports: 3,
        }),
        ..scan
    };
    assert_eq!(store.scans(target.id, 10).await.unwrap(), [scan]);
    let (number, _) = start(&store, at(300), 1, at(10_000)).await;
    let scans = store.scans(target.id, 10).await.unwrap();
    assert_eq!((scans[0].run, scans[1]), (number, scan));
    assert_eq!(store.scans(target.id, 1).await.unwrap().len(), 1);
}
