use std::collections::BTreeSet;

use jiff::SignedDuration;
use portwatch_domain::target::{Switches, Target};
use portwatch_store::Store;
use portwatch_store::jobs::{DueTarget, JobCounts, NewRun};
use portwatch_store::outbox::Topic;
use tokio::task::JoinSet;

use crate::samples::{
    LEASE, SOURCE, apply, at, differ, ip, part, ports, report, run, start, sync, take_run, target,
};

pub async fn each_slot_is_claimed_once(store: Store) {
    const TARGETS: usize = 200;
    let targets: Vec<_> = (0..TARGETS).map(|n| target(&format!("t{n}"))).collect();
    sync(&store, &targets).await;
    let mut claimers = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        claimers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store.claim_due(at(5), 7, LEASE).await.unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                for due in claimed {
                    assert!(take_run(&store, run(&due, &[1], at(100))).await);
                    mine.push((due.target.id, due.slot, due.known.run));
                }
            }
        });
    }
    let all: Vec<_> = claimers.join_all().await.concat();
    assert_eq!(all.len(), TARGETS);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), TARGETS);
    assert!(
        all.iter()
            .all(|&(_, slot, run)| (at(0)..at(5)).contains(&slot) && run == 1)
    );
    assert_eq!(
        store.outbox_depth(Topic::Job).await.unwrap(),
        TARGETS as u64
    );
    let counts = JobCounts {
        out: TARGETS as u64,
        newly_lost: 0,
        made_again: 0,
    };
    assert_eq!(store.count_jobs(at(5)).await.unwrap(), counts);
}

pub async fn a_target_with_a_job_out_is_not_claimed(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let due = store.claim_due(at(0), 10, LEASE).await.unwrap();
    let first = run(&due[0], &[2, 1], at(1000));
    assert!(take_run(&store, first.clone()).await);
    assert!(
        store
            .claim_due(at(301), 10, LEASE)
            .await
            .unwrap()
            .is_empty()
    );

    // Three parts of two jobs; the target is free when the last one is in.
    for (number, (job, index)) in [(0, 0), (1, 0), (0, 1)].into_iter().enumerate() {
        assert!(
            store
                .claim_due(at(301), 10, LEASE)
                .await
                .unwrap()
                .is_empty(),
            "part {number}"
        );
        let reports = vec![report(ip(u16::try_from(number).unwrap()), "22")];
        let job = first.jobs[job].id;
        let part = part(&target, job, index, &reports);
        store
            .apply_snapshot(part, differ(reports, 1, job, at(200)))
            .await
            .unwrap();
    }
    let again = store.claim_due(at(301), 10, LEASE).await.unwrap();
    assert_eq!((again[0].slot, again[0].known.run), (at(300), 2));

    // And when the deadline has passed, whatever is missing.
    assert!(take_run(&store, run(&again[0], &[1], at(900))).await);
    assert!(
        store
            .claim_due(at(899), 10, LEASE)
            .await
            .unwrap()
            .is_empty()
    );
    let third = store.claim_due(at(900), 10, LEASE).await.unwrap();
    assert_eq!((third[0].slot, third[0].known.run), (at(600), 3));
}

pub async fn a_run_without_jobs_frees_its_target(store: Store) {
    sync(&store, &[target("a")]).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    assert!(take_run(&store, run(&due[0], &[], at(0))).await);
    assert!(store.claim_due(at(299), 1, LEASE).await.unwrap().is_empty());
    assert_eq!(
        store.claim_due(at(300), 1, LEASE).await.unwrap()[0]
            .known
            .run,
        2
    );
}

pub async fn a_claim_ends_with_its_lease(store: Store) {
    sync(&store, &[target("a")]).await;
    let dead = store.claim_due(at(0), 1, LEASE).await.unwrap();
    assert!(store.claim_due(at(29), 1, LEASE).await.unwrap().is_empty());
    let taken_over = store.claim_due(at(30), 1, LEASE).await.unwrap();
    assert_eq!(taken_over, dead);

    assert!(take_run(&store, run(&taken_over[0], &[1], at(100))).await);
    // The first one was only slow.
    assert!(!take_run(&store, run(&dead[0], &[1, 1], at(100))).await);
    assert_eq!(store.count_jobs(at(50)).await.unwrap().out, 1);
}

pub async fn a_run_is_saved_once(store: Store) {
    sync(&store, &[target("a")]).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    let mut savers = JoinSet::new();
    for _ in 0..8 {
        let (store, run) = (store.clone(), run(&due[0], &[1], at(100)));
        savers.spawn(async move { take_run(&store, run).await });
    }
    let saved = savers.join_all().await;
    assert_eq!(saved.iter().filter(|&&saved| saved).count(), 1);
    assert_eq!(store.outbox_depth(Topic::Job).await.unwrap(), 1);

    let later = DueTarget {
        slot: at(7),
        ..due[0].clone()
    };
    let other_slot = run(&later, &[1], at(100));
    assert!(!take_run(&store, other_slot).await, "the number is taken");
    let other_number = NewRun {
        run: 2,
        ..run(&due[0], &[1], at(100))
    };
    assert!(!take_run(&store, other_number).await, "the slot is taken");
    assert_eq!(store.count_jobs(at(50)).await.unwrap().out, 1);
}

pub async fn a_taken_slot_is_passed_over(store: Store) {
    sync(&store, &[target("a")]).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    assert!(take_run(&store, run(&due[0], &[], at(0))).await);
    // The clock was set back, and the target is made due at a time that was a slot before.
    let changed = Target {
        ports: ports("22"),
        ..target("a")
    };
    store.sync_targets(SOURCE, &[changed], at(0)).await.unwrap();
    let again = store.claim_due(at(0), 1, LEASE).await.unwrap();
    assert_eq!((again[0].slot, again[0].known.run), (at(0), 2));
    assert!(!take_run(&store, run(&again[0], &[1], at(100))).await);
    let later = store.claim_due(at(300), 1, LEASE).await.unwrap();
    assert_eq!((later[0].slot, later[0].known.run), (at(300), 2));
    assert!(take_run(&store, run(&later[0], &[1], at(400))).await);
}

pub async fn a_target_that_was_switched_off_is_left_alone(store: Store) {
    let off = Target {
        switches: Switches {
            enabled: false,
            ..Switches::default()
        },
        ..target("off")
    };
    sync(&store, &[target("a"), target("b"), off.clone()]).await;
    let due = store.claim_due(at(1), 10, LEASE).await.unwrap();
    let names: BTreeSet<_> = due.iter().map(|due| due.target.name.as_str()).collect();
    assert_eq!(names, ["a", "b"].into());

    // One is switched off and one is no longer listed while their jobs are being made.
    let a_off = Target {
        switches: off.switches,
        ..target("a")
    };
    store
        .sync_targets(SOURCE, &[a_off, off], at(1))
        .await
        .unwrap();
    for due in &due {
        assert!(!take_run(&store, run(due, &[1], at(100))).await);
    }
    assert_eq!(store.outbox_depth(Topic::Job).await.unwrap(), 0);
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub async fn a_new_schedule_during_a_claim_is_kept(store: Store) {
    sync(&store, &[target("a")]).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    let changed = Target {
        ports: ports("22"),
        ..target("a")
    };
    store.sync_targets(SOURCE, &[changed], at(2)).await.unwrap();
    assert!(take_run(&store, run(&due[0], &[], at(0))).await);
    assert_eq!(store.next_due().await.unwrap(), Some(at(2)));
}

pub async fn a_job_is_lost_once(store: Store) {
    let target = target("a");
    sync(&store, &[target.clone(), crate::samples::target("b")]).await;
    let (_, job) = start(&store, at(1), 1, at(100)).await;
    start(&store, at(1), 1, at(200)).await;
    // Each is made again once.
    let counts = |out, newly_lost| JobCounts {
        out,
        newly_lost,
        made_again: newly_lost,
    };
    assert_eq!(store.count_jobs(at(99)).await.unwrap(), counts(2, 0));
    assert_eq!(store.count_jobs(at(100)).await.unwrap(), counts(1, 1));
    assert_eq!(store.count_jobs(at(100)).await.unwrap(), counts(1, 0));

    // Its answer comes late, and is taken.
    let owner = store.targets().await.unwrap();
    let owner = owner
        .iter()
        .find(|target| portwatch_domain::job::JobId::derive(target.id, 1, 0) == job);
    let reports = vec![report(ip(1), "22")];
    let part = part(owner.unwrap(), job, 0, &reports);
    store
        .apply_snapshot(part, differ(reports, 1, job, at(110)))
        .await
        .unwrap();
    assert_eq!(store.hosts(owner.unwrap().id).await.unwrap().len(), 1);
    assert_eq!(store.count_jobs(at(200)).await.unwrap(), counts(0, 1));
}

pub async fn a_claim_brings_the_open_ports(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    apply(
        &store,
        &target,
        1,
        vec![
            report(ip(1), "22,80"),
            report(ip(2), ""),
            report(ip(3), "443"),
        ],
    )
    .await;
    apply(
        &store,
        &target,
        2,
        vec![report(ip(1), "80"), report(ip(2), ""), report(ip(3), "443")],
    )
    .await;
    let due = store
        .claim_due(at(0), 1, SignedDuration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        due[0].known.open,
        [(ip(1), ports("80")), (ip(3), ports("443"))].into()
    );
}

pub async fn a_part_that_is_no_part_of_the_job_does_not_finish_it(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let (run, job) = start(&store, at(0), 1, at(1000)).await;
    let reports = vec![report(ip(1), "22")];
    let stray = part(&target, job, 1, &reports);
    store
        .apply_snapshot(stray, differ(reports, run, job, at(1)))
        .await
        .unwrap();
    assert_eq!(store.count_jobs(at(2)).await.unwrap().out, 1);
}
