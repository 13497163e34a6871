use portwatch_store::history::HistoryFilter;
use portwatch_store::notifications::{DeliveryCounts, NextStep};
use portwatch_store::snapshots::Applied;
use portwatch_store::{PruneBefore, Pruned, Store};

use crate::notifications::{deliver, notification};
use crate::samples::{LEASE, SOURCE, apply, at, differ, ip, part, report, start, sync, target};

const KEEP_NOTHING: PruneBefore = PruneBefore {
    working: jiff::Timestamp::MAX,
    history: jiff::Timestamp::MAX,
};

pub async fn what_is_old_and_ended_goes(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    // Two runs, finished at 0 s; the third is out.
    for (run, open) in [(1, "22"), (2, "")] {
        let slot = at((run - 1) * 300);
        let (run, job) = start(&store, slot, 1, at(10_000)).await;
        let reports = vec![report(ip(1), open)];
        let part = part(&target, job, 0, &reports);
        let decide = differ(reports, run, job, at(i64::try_from(run).unwrap() * 100));
        assert_eq!(
            store.apply_snapshot(part, decide).await.unwrap(),
            Applied::Applied
        );
    }
    start(&store, at(600), 1, at(10_000)).await;
    assert_eq!(
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap()
            .len(),
        3
    );

    let nothing = PruneBefore {
        working: at(0),
        history: at(100),
    };
    assert_eq!(store.prune(nothing).await.unwrap(), Pruned::default());
    let first = PruneBefore {
        working: at(1),
        history: at(200),
    };
    assert_eq!(
        store.prune(first).await.unwrap(),
        Pruned {
            jobs: 2,
            history: 2,
            deliveries: 0
        }
    );
    assert_eq!(
        store
            .history(HistoryFilter::of(target.id, 10))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.count_jobs(at(700)).await.unwrap().out, 1);
    assert_eq!(
        store.hosts(target.id).await.unwrap().len(),
        1,
        "state is never old"
    );

    // What comes again after that is applied again, and older than the state.
    assert_eq!(
        apply(&store, &target, 1, vec![report(ip(1), "22")]).await,
        Applied::Applied
    );
    assert_eq!(store.hosts(target.id).await.unwrap()[0].runs.newest(), 2);
    // A number that was taken stays taken.
    let due = store.claim_due(at(10_000), 1, LEASE).await.unwrap();
    assert_eq!(due[0].run, 4);
}

pub async fn what_is_out_stays(store: Store) {
    sync(&store, &[target("a")]).await;
    start(&store, at(0), 2, at(500)).await;
    let seconds = |working| PruneBefore {
        working: at(working),
        history: at(working),
    };
    assert_eq!(store.prune(seconds(500)).await.unwrap().jobs, 0);
    assert_eq!(store.count_jobs(at(499)).await.unwrap().out, 1);
    assert_eq!(store.prune(seconds(501)).await.unwrap().jobs, 1, "lost");

    // 1 was delivered at 10 s, 2 is given up, 3 still waits, 4 went to nobody.
    for number in 1..=3 {
        let one = notification(number, 0, "host", &["mail"]);
        assert!(store.save_notification(one).await.unwrap());
    }
    assert!(
        store
            .save_notification(notification(4, 0, "host", &[]))
            .await
            .unwrap()
    );
    deliver(&store, "mail", at(10), NextStep::Delivered).await;
    deliver(&store, "mail", at(20), NextStep::GivenUp).await;
    assert_eq!(store.prune(seconds(10)).await.unwrap().deliveries, 0);
    assert_eq!(store.prune(seconds(11)).await.unwrap().deliveries, 1);
    assert_eq!(store.prune(KEEP_NOTHING).await.unwrap().deliveries, 1);
    let counts = DeliveryCounts {
        pending: 1,
        given_up: 0,
    };
    assert_eq!(store.count_deliveries().await.unwrap(), counts);
    assert!(
        store
            .save_notification(notification(4, 0, "host", &[]))
            .await
            .unwrap()
    );
    assert!(
        !store
            .save_notification(notification(3, 0, "host", &[]))
            .await
            .unwrap()
    );
    deliver(&store, "mail", at(30), NextStep::Delivered).await;
    store.sync_targets(SOURCE, &[], at(40)).await.unwrap();
}
