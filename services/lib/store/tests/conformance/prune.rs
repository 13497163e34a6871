use jiff::SignedDuration;
use portwatch_domain::change::{Change, ChangeId, Severity, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::PortState;
use portwatch_domain::target::Target;
use portwatch_store::history::{GroupRetention, HistoryFilter};
use portwatch_store::notifications::{DeliveryCounts, NextStep};
use portwatch_store::snapshots::{Applied, Decide, Decided};
use portwatch_store::{PruneBefore, Pruned, Store};

use crate::notifications::{deliver, notification};
use crate::samples::{LEASE, SOURCE, apply, at, differ, ip, part, report, start, sync, target};

const DAY: i64 = 86_400;

/// Midnight (UTC) at the end of the first day.
const MIDNIGHT: i64 = 16 * 3_600;

fn before(now: i64, working: i64, history: i64) -> PruneBefore {
    PruneBefore {
        now: at(now),
        working: at(working),
        history: at(history),
    }
}

pub async fn what_is_old_and_ended_goes(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let nothing = before(0, 0, 0);
    // The days in which the tables were made are not those of this test.
    store.prune(nothing).await.unwrap();
    assert_eq!(store.prune(nothing).await.unwrap(), Pruned::default());
    // Two runs, finished at 0 s, that found what is of the second and third day; the third is out.
    for (run, open) in [(1, "22"), (2, "")] {
        let slot = at((run - 1) * 300);
        let (run, job) = start(&store, slot, 1, at(10_000)).await;
        let reports = vec![report(ip(1), open)];
        let part = part(&target, job, 0, &reports);
        let decide = differ(reports, run, job, at(i64::try_from(run).unwrap() * DAY));
        assert_eq!(
            store.apply_snapshot(part, decide).await.unwrap(),
            Applied::Applied
        );
    }
    start(&store, at(600), 1, at(10_000)).await;
    let history = async || {
        let all = HistoryFilter::of(target.id, 10);
        store.history(all).await.unwrap().len()
    };
    let scans = async || store.scans(target.id, 10).await.unwrap().len();
    assert_eq!((history().await, scans().await), (3, 3));

    let jobs = Pruned {
        jobs: 2,
        ..Pruned::default()
    };
    assert_eq!(store.prune(before(DAY, 1, 0)).await.unwrap(), jobs);
    let runs = store.prune(before(DAY, 1, DAY)).await.unwrap().runs;
    assert_eq!(runs, 2, "as long as there could be history of them");
    assert_eq!((history().await, scans().await), (3, 1));
    store
        .prune(before(3 * DAY, 1, DAY + MIDNIGHT))
        .await
        .unwrap();
    assert_eq!((history().await, scans().await), (1, 1));
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
    assert_eq!(due[0].known.run, 4);
}

/// History of days 1 to 9, one transition a day, of three groups.
async fn nine_days(store: &Store) -> [Target; 3] {
    let targets = ["short", "long", "other"].map(|group| Target {
        group: group.to_owned(),
        ..target(group)
    });
    sync(store, &targets).await;
    // On PostgreSQL some of the days are there, and others are not.
    store.prune(before(4 * DAY, 0, 0)).await.unwrap();
    for target in &targets {
        for day in 1..=9_u64 {
            let number = Port::tcp(u16::try_from(day).unwrap());
            let reports = [report(ip(1), "")];
            let part = part(target, JobId::derive(target.id, day, 0), 0, &reports);
            let change = Change {
                id: ChangeId::of_port(target.id, ip(1), number, 1),
                transition: Transition::PortFlapping {
                    port: number,
                    begins: true,
                    state: PortState::Open,
                },
                severity: Severity::Medium,
                quiet: false,
                at: at(i64::try_from(day).unwrap() * DAY),
            };
            let decide: Decide = Box::new(|_| Decided {
                history: vec![(ip(1), change)],
                ..Decided::default()
            });
            store.apply_snapshot(part, decide).await.unwrap();
        }
    }
    targets
}

pub async fn each_group_keeps_its_history_for_its_own_time(store: Store) {
    let targets = nine_days(&store).await;
    let left = async || {
        let mut left = Vec::new();
        for target in &targets {
            let all = HistoryFilter::of(target.id, 100);
            left.push(store.history(all).await.unwrap().len());
        }
        left
    };
    let keep = |group: &str, days: i64| GroupRetention {
        group: group.to_owned(),
        keep_history: SignedDuration::from_hours(24 * days),
    };
    // At midnight after the ninth day; what says nothing is kept for six days.
    let now = 9 * DAY + MIDNIGHT;
    let six_days = before(now, 0, now - 6 * DAY);
    store
        .sync_groups(&[keep("short", 1), keep("long", 8)])
        .await
        .unwrap();
    store.prune(six_days).await.unwrap();
    assert_eq!(left().await, [1, 8, 6]);
    assert_eq!(store.prune(six_days).await.unwrap().history, 0);

    // A group that is no longer named is one of the others.
    store
        .sync_groups(&[keep("short", 2), keep("other", 3)])
        .await
        .unwrap();
    let kept = store.group_retention().await.unwrap();
    assert_eq!(kept, [keep("other", 3), keep("short", 2)]);
    store.prune(six_days).await.unwrap();
    assert_eq!(left().await, [1, 6, 3]);
    store.sync_groups(&[]).await.unwrap();
    store.prune(before(now, 0, now)).await.unwrap();
    assert_eq!(left().await, [0, 0, 0]);
}

pub async fn what_is_out_stays(store: Store) {
    sync(&store, &[target("a")]).await;
    start(&store, at(0), 2, at(500)).await;
    let seconds = |seconds| before(seconds, seconds, seconds);
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
    assert_eq!(store.prune(seconds(DAY)).await.unwrap().deliveries, 1);
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
