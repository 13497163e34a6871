//! Zones that nobody works for, targets that are not scanned, clocks that are set back, names that move.

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::{Change, ChangeId, Severity, Transition};
use portwatch_domain::target::{Target, Zone};
use portwatch_store::Store;
use portwatch_store::history::{HistoryFilter, Subject};
use portwatch_store::jobs::NewRun;
use portwatch_store::outbox::Topic;
use portwatch_store::watch::Notice;
use uuid::Uuid;

use crate::samples::{
    LEASE, SOURCE, apply, at, differ, ip, message, part, ports, report, run, start, sync, take_run,
    target,
};

fn notice(number: u128, transition: Transition, at: Timestamp) -> Notice {
    let id = Uuid::from_u128(number);
    Notice {
        change: Change {
            id: ChangeId(id),
            severity: Severity::of(&transition),
            transition,
            quiet: false,
            at,
        },
        message: message(Topic::Change, id),
    }
}

pub async fn a_zone_shows_whether_anybody_works_for_it(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let zone = Zone::default();
    let state = async || {
        let zones = store.zones().await.unwrap();
        assert_eq!(zones.len(), 1);
        zones.into_iter().next().unwrap()
    };
    assert_eq!(
        (state().await.work, state().await.changes),
        Default::default()
    );
    let (run, job) = start(&store, at(0), 1, at(100)).await;
    store.count_jobs(at(100)).await.unwrap();
    assert_eq!(state().await.work.oldest_lost, Some(at(0)));

    let unattended = || notice(1, Transition::Unattended { begins: true }, at(100));
    let since = Some(at(100));
    let marked = store
        .mark_zone(&zone, 0, since, unattended(), at(100))
        .await;
    assert!(marked.unwrap());
    let again = store
        .mark_zone(&zone, 0, since, unattended(), at(100))
        .await;
    assert!(!again.unwrap(), "another was faster");
    assert_eq!(state().await.work.unattended_since, since);
    assert_eq!(state().await.changes, 1);
    assert_eq!(store.outbox_depth(Topic::Change).await.unwrap(), 1);
    let past = store
        .history(HistoryFilter {
            limit: 9,
            ..HistoryFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(past[0].about, Subject::Zone(zone));
    assert_eq!(past[0].change, unattended().change);

    // Its answer comes after all.
    let reports = vec![report(ip(1), "22")];
    let late = portwatch_store::snapshots::SnapshotPart {
        now: at(200),
        ..part(&target, job, 0, &reports)
    };
    store
        .apply_snapshot(late, differ(reports, run, job, at(200)))
        .await
        .unwrap();
    let work = state().await.work;
    assert_eq!(
        (work.last_finished, work.oldest_lost),
        (Some(at(200)), None)
    );
}

pub async fn in_an_unattended_zone_nothing_is_made_again(store: Store) {
    sync(&store, &[target("a")]).await;
    start(&store, at(0), 1, at(100)).await;
    let begins = notice(1, Transition::Unattended { begins: true }, at(50));
    let zone = Zone::default();
    assert!(
        store
            .mark_zone(&zone, 0, Some(at(50)), begins, at(50))
            .await
            .unwrap()
    );
    let counts = store.count_jobs(at(100)).await.unwrap();
    assert_eq!((counts.newly_lost, counts.made_again), (1, 0));
}

pub async fn a_target_that_is_not_scanned_is_overdue_once(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    // A new one is overdue some time after its third slot.
    assert_eq!(store.lateness(at(900), 9).await.unwrap(), []);
    let late = store.lateness(at(10_000), 9).await.unwrap();
    assert_eq!((late[0].target.id, late[0].scanned_at), (target.id, None));
    let overdue = Transition::Overdue {
        begins: true,
        scanned_at: None,
    };
    let begins = || Some(notice(1, overdue.clone(), at(10_000)));
    let mark = async |changes, since, notice| {
        let now = at(10_000);
        store
            .mark_target(target.id, changes, since, notice, now)
            .await
            .unwrap()
    };
    assert!(mark(0, Some(at(10_000)), begins()).await);
    assert!(
        !mark(0, Some(at(10_000)), begins()).await,
        "another was faster"
    );
    assert_eq!(store.lateness(at(10_000), 9).await.unwrap(), []);
    let history = store
        .history(HistoryFilter::of(target.id, 9))
        .await
        .unwrap();
    assert_eq!(history[0].change.transition, overdue);

    let (number, job) = start(&store, at(10_001), 1, at(11_000)).await;
    let reports = vec![report(ip(1), "22")];
    let answer = portwatch_store::snapshots::SnapshotPart {
        now: at(10_100),
        ..part(&target, job, 0, &reports)
    };
    store
        .apply_snapshot(answer, differ(reports, number, job, at(10_100)))
        .await
        .unwrap();
    let scanned = store.lateness(at(10_100), 9).await.unwrap();
    assert_eq!(scanned[0].scanned_at, Some(at(10_100)));
    assert_eq!(scanned[0].overdue_since, Some(at(10_000)));
    assert_eq!((scanned[0].changes, scanned[0].told), (1, true));
    assert!(mark(1, None, None).await, "that nobody is told of");
    assert_eq!(store.lateness(at(900), 9).await.unwrap(), []);
}

pub async fn what_was_overdue_in_an_unattended_zone_has_its_time_anew(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let late = store.lateness(at(10_000), 9).await.unwrap();
    assert_eq!(late.len(), 1);
    // Nobody is told of it: its zone is told of.
    let since = Some(at(10_000));
    let mark = store.mark_target(target.id, 0, since, None, at(10_000));
    assert!(mark.await.unwrap());
    assert_eq!(
        store.overdue_targets().await.unwrap(),
        1,
        "it is, all the same"
    );

    let zone = store.zones().await.unwrap().remove(0).zone;
    for (changes, since) in [(0, Some(at(10_000))), (1, None)] {
        assert_eq!(store.overdue_targets().await.unwrap(), 1);
        let begins = since.is_some();
        let notice = notice(
            u128::from(changes) + 1,
            Transition::Unattended { begins },
            at(20_000),
        );
        let mark = store.mark_zone(&zone, changes, since, notice, at(20_000));
        assert!(mark.await.unwrap());
    }
    assert_eq!(store.overdue_targets().await.unwrap(), 0);
    assert_eq!(store.lateness(at(20_100), 9).await.unwrap(), []);
    let late = store.lateness(at(30_000), 9).await.unwrap();
    assert_eq!(late[0].overdue_since, None, "nobody scans it after all");
}

pub async fn a_marked_target_that_is_no_longer_watched_is_shown(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let since = Some(at(10_000));
    assert!(
        store
            .mark_target(target.id, 0, since, None, at(10_000))
            .await
            .unwrap()
    );
    store.sync_targets(SOURCE, &[], at(10_001)).await.unwrap();
    let shown = store.lateness(at(10_001), 9).await.unwrap();
    assert_eq!(shown[0].overdue_since, since);
}

pub async fn targets_that_stand_ahead_of_the_clock_are_brought_forward(store: Store) {
    sync(&store, &[target("a")]).await;
    let due = store.claim_due(at(5000), 1, LEASE).await.unwrap();
    let new = NewRun {
        now: at(5000),
        ..run(&due[0], &[1], at(5100))
    };
    assert!(take_run(&store, new).await);
    let slack = SignedDuration::from_secs(10);
    assert_eq!(store.ahead(at(4990), slack, 9).await.unwrap(), []);
    // The clock is set back by an hour. The job that is out holds the target until 5100, which is now 1500.
    let ahead = store.ahead(at(1400), slack, 9).await.unwrap();
    let [one] = ahead.as_slice() else {
        panic!("one target: {ahead:?}")
    };
    let slots = vec![(one.target.id, one.next_due_at, at(1401))];
    assert_eq!(store.rebase(at(1400), slots.clone()).await.unwrap(), 1);
    assert_eq!(
        store.rebase(at(1400), slots).await.unwrap(),
        0,
        "it has moved"
    );
    assert_eq!(store.ahead(at(1400), slack, 9).await.unwrap(), []);
    assert_eq!(store.claim_due(at(1499), 1, LEASE).await.unwrap(), []);
    let due = store.claim_due(at(1500), 1, LEASE).await.unwrap();
    assert_eq!(due[0].slot, at(1401));
}

pub async fn what_names_resolve_to_is_kept_and_state_can_follow(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    apply(&store, &target, 1, vec![report(ip(1), "22,80")]).await;
    let before = store.hosts(target.id).await.unwrap();
    let due = store
        .claim_due(at(0), 1, SignedDuration::ZERO)
        .await
        .unwrap();
    assert!(due[0].known.names.is_empty());
    let moves = Transition::Address {
        name: "www.example.org".to_owned(),
        before: vec![ip(1)],
        after: vec![ip(9)],
    };
    let change = notice(1, moves, at(0)).change;
    let new = NewRun {
        names: Some([("www.example.org".to_owned(), vec![ip(9)])].into()),
        moved: vec![(ip(1), ip(9)), (ip(7), ip(8))],
        changes: vec![change.clone()],
        ..run(&due[0], &[], at(0))
    };
    let names = new.names.clone().unwrap();
    assert!(take_run(&store, new).await);

    let after = store.hosts(target.id).await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].ip, &after[0].ports), (ip(9), &before[0].ports));
    let history = store
        .history(HistoryFilter::of(target.id, 9))
        .await
        .unwrap();
    let (of_target, of_host): (Vec<_>, Vec<_>) =
        history.into_iter().partition(|row| row.ip().is_none());
    assert_eq!(of_target.len(), 1);
    assert_eq!(of_target[0].change, change);
    assert_eq!(of_host.len(), 3);
    assert!(of_host.iter().all(|row| row.ip() == Some(ip(9))));
    let due = store.claim_due(at(300), 1, LEASE).await.unwrap();
    assert_eq!((&due[0].known.names, due[0].known.changes), (&names, 1));
    assert_eq!(due[0].known.open, [(ip(9), ports("22,80"))].into());
}

pub async fn state_does_not_move_onto_a_known_address(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let reports = vec![report(ip(1), "22"), report(ip(2), "80")];
    apply(&store, &target, 1, reports).await;
    let before = store.hosts(target.id).await.unwrap();
    let due = store
        .claim_due(at(0), 1, SignedDuration::ZERO)
        .await
        .unwrap();
    let new = NewRun {
        moved: vec![(ip(1), ip(2))],
        ..run(&due[0], &[], at(0))
    };
    assert!(take_run(&store, new).await);
    assert_eq!(store.hosts(target.id).await.unwrap(), before);
}

pub async fn targets_are_listed_with_what_is_known_of_them(store: Store) {
    let (a, b) = (target("a"), target("b"));
    sync(&store, &[b.clone(), a.clone()]).await;
    let reports = vec![report(ip(1), "22,80"), report(ip(2), "80")];
    apply(&store, &a, 1, reports).await;
    let states = store.target_states().await.unwrap();
    let names: Vec<&Target> = states.iter().map(|state| &state.target).collect();
    assert_eq!(names, [&a, &b]);
    assert_eq!(
        (states[0].hosts, states[0].hosts_up, states[0].open_ports),
        (2, 2, 3)
    );
    assert_eq!((states[1].hosts, states[1].run), (0, 0));
    assert_eq!(states[0].overdue_since, None);
    for state in &states {
        let alone = store.target_state(state.target.id).await.unwrap();
        assert_eq!(alone.as_ref(), Some(state));
    }
    store.sync_targets(SOURCE, &[b], at(1)).await.unwrap();
    assert_eq!(store.target_state(a.id).await.unwrap(), None);
    assert_eq!(store.target_states().await.unwrap().len(), 1);
}
