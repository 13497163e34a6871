//! Runs outside the schedule, and jobs that are made again.

use jiff::SignedDuration;
use portwatch_domain::job::JobId;
use portwatch_domain::target::{Switches, Target};
use portwatch_store::history::Scan;
use portwatch_store::jobs::{JobProgress, NewRun};
use portwatch_store::requests::{NewRequest, RequestKind, RequestState, RunKind};
use portwatch_store::{PruneBefore, Store};
use uuid::Uuid;

use crate::samples::{
    LEASE, SOURCE, at, differ, ip, part, ports, report, run, run_of_request, sync, take_run, target,
};

fn request(target: &Target, number: u128, kind: RequestKind) -> NewRequest {
    NewRequest {
        id: Uuid::from_u128(number),
        target: target.id,
        kind,
        hosts: Some(vec![ip(2), ip(1)]),
        ports: Some(ports("22,443")),
        asked_at: at(1),
        due_at: at(2),
    }
}

/// One target, whose slot's run is out until 1000 s with one job of one part.
async fn with_a_slot_out(store: &Store) -> (Target, JobId) {
    let target = target("a");
    sync(store, std::slice::from_ref(&target)).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    let slot = run(&due[0], &[1], at(1000));
    let job = slot.jobs[0].id;
    assert!(take_run(store, slot).await);
    (target, job)
}

/// The snapshot of a run's only job, in which these ports of the first host are open.
async fn answer(store: &Store, target: &Target, number: u64, job: JobId, open: &str, seconds: i64) {
    let reports = vec![report(ip(1), open)];
    let part = part(target, job, 0, &reports);
    let part = portwatch_store::snapshots::SnapshotPart {
        now: at(seconds),
        ..part
    };
    let decide = differ(reports, number, job, at(seconds));
    store.apply_snapshot(part, decide).await.unwrap();
}

pub async fn a_request_is_claimed_once_and_leads_to_a_run(store: Store) {
    let (target, _) = with_a_slot_out(&store).await;
    let asked = request(&target, 7, RequestKind::Verify);
    store
        .add_requests(vec![asked.clone(), asked.clone()])
        .await
        .unwrap();
    assert_eq!(store.claim_requests(at(1), 9, LEASE).await.unwrap(), []);
    assert_eq!(store.next_due().await.unwrap(), Some(at(2)));

    let due = store.claim_requests(at(2), 9, LEASE).await.unwrap();
    let [claimed] = due.as_slice() else {
        panic!("one request: {due:?}")
    };
    assert_eq!((claimed.id, claimed.kind), (asked.id, asked.kind));
    assert_eq!(
        (&claimed.hosts, &claimed.ports),
        (&asked.hosts, &asked.ports)
    );
    assert_eq!((&claimed.target, claimed.known.run), (&target, 2));
    assert_eq!(store.claim_requests(at(31), 9, LEASE).await.unwrap(), []);
    assert_eq!(store.claim_requests(at(32), 9, LEASE).await.unwrap(), due);

    let new = run_of_request(claimed, &[1], at(100), at(3));
    let job = new.jobs[0].id;
    assert!(take_run(&store, new).await);
    assert_eq!(store.claim_requests(at(99), 9, LEASE).await.unwrap(), []);
    store.add_requests(vec![asked.clone()]).await.unwrap();
    assert_eq!(store.claim_requests(at(99), 9, LEASE).await.unwrap(), []);

    // The slot's job is still out, so the slot waits; the verification alone would not hold it.
    answer(&store, &target, 2, job, "22", 10).await;
    assert_eq!(store.claim_due(at(301), 1, LEASE).await.unwrap(), []);
}

pub async fn a_verification_does_not_hold_the_next_slot(store: Store) {
    let (target, slot) = with_a_slot_out(&store).await;
    let asked = request(&target, 7, RequestKind::Verify);
    store.add_requests(vec![asked]).await.unwrap();
    let due = store.claim_requests(at(2), 9, LEASE).await.unwrap();
    assert!(take_run(&store, run_of_request(&due[0], &[1], at(5000), at(3))).await);
    answer(&store, &target, 1, slot, "22", 10).await;
    let next = store.claim_due(at(301), 1, LEASE).await.unwrap();
    assert_eq!((next[0].slot, next[0].known.run), (at(300), 3));
}

pub async fn a_refused_run_can_be_claimed_again_at_once(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let asked = request(&target, 7, RequestKind::Now);
    store.add_requests(vec![asked]).await.unwrap();
    let slot = store.claim_due(at(2), 1, LEASE).await.unwrap();
    let asked = store.claim_requests(at(2), 1, LEASE).await.unwrap();
    // Both have the number 1.
    let runs = vec![
        run_of_request(&asked[0], &[1], at(100), at(2)),
        run(&slot[0], &[1], at(100)),
    ];
    assert_eq!(store.save_runs(runs).await.unwrap(), [true, false]);
    let slot = store.claim_due(at(2), 1, LEASE).await.unwrap();
    assert_eq!((slot[0].slot, slot[0].known.run), (at(0), 2));
    assert!(take_run(&store, run(&slot[0], &[1], at(100))).await);
}

pub async fn requests_of_targets_that_are_not_watched_wait(store: Store) {
    let off = Target {
        switches: Switches {
            enabled: false,
            ..Switches::default()
        },
        ..target("a")
    };
    sync(&store, std::slice::from_ref(&off)).await;
    let asked = request(&off, 7, RequestKind::Now);
    store.add_requests(vec![asked]).await.unwrap();
    assert_eq!(store.claim_requests(at(2), 1, LEASE).await.unwrap(), []);
    store
        .sync_targets(SOURCE, &[target("a")], at(3))
        .await
        .unwrap();
    assert_eq!(
        store.claim_requests(at(3), 1, LEASE).await.unwrap().len(),
        1
    );
}

pub async fn requests_go_when_nothing_comes_of_them_any_more(store: Store) {
    let off = Target {
        switches: Switches {
            enabled: false,
            ..Switches::default()
        },
        ..target("off")
    };
    let (target, _) = with_a_slot_out(&store).await;
    sync(&store, &[target.clone(), off.clone()]).await;
    let of_off = |number| request(&off, number, RequestKind::Now);
    let claimed = request(&target, 7, RequestKind::Now);
    store
        .add_requests(vec![claimed.clone(), of_off(9)])
        .await
        .unwrap();
    let due = store.claim_requests(at(2), 9, LEASE).await.unwrap();
    assert_eq!(due.len(), 1);
    assert!(take_run(&store, run_of_request(&due[0], &[1], at(100), at(3))).await);
    let waiting = request(&target, 8, RequestKind::Now);
    store.add_requests(vec![waiting.clone()]).await.unwrap();
    let left = async |seconds| {
        let before = PruneBefore {
            now: at(0),
            working: at(seconds),
            history: at(0),
        };
        store.prune(before).await.unwrap();
        let mut left = Vec::new();
        for number in [7, 8, 9] {
            let known = store.request(Uuid::from_u128(number), at(seconds)).await;
            left.extend(known.unwrap().map(|_| number));
        }
        left
    };
    assert_eq!(left(1).await, [7, 8, 9], "asked at that time");
    assert_eq!(left(100).await, [7, 8], "a job is out, and one is due");
    assert_eq!(left(101).await, [8]);
}

pub async fn a_request_says_how_far_it_is(store: Store) {
    let (target, _) = with_a_slot_out(&store).await;
    let asked = request(&target, 7, RequestKind::Now);
    let state = async |seconds| store.request(asked.id, at(seconds)).await.unwrap();
    assert_eq!(state(1).await, None);
    store.add_requests(vec![asked.clone()]).await.unwrap();
    let waiting = RequestState {
        run: None,
        jobs: 0,
        finished: 0,
        expired: 0,
        progress: JobProgress::default(),
    };
    assert_eq!(state(2).await, Some(waiting));
    assert!(!waiting.is_over());

    let due = store.claim_requests(at(2), 9, LEASE).await.unwrap();
    let new = run_of_request(&due[0], &[1, 1], at(100), at(3));
    let jobs: Vec<JobId> = new.jobs.iter().map(|job| job.id).collect();
    assert!(take_run(&store, new).await);
    let far = |sent, open| JobProgress {
        sent,
        planned: 100,
        answered: sent / 2,
        open,
    };
    let unknown = JobId(Uuid::from_u128(9));
    let notes = vec![
        (jobs[0], far(50, 1)),
        (jobs[1], far(30, 2)),
        (unknown, far(1, 1)),
    ];
    store.note_progress(notes).await.unwrap();
    store
        .note_progress(vec![(jobs[0], far(40, 0))])
        .await
        .unwrap();
    let out = RequestState {
        run: Some(2),
        jobs: 2,
        finished: 0,
        expired: 0,
        progress: JobProgress {
            sent: 80,
            planned: 200,
            answered: 40,
            open: 3,
        },
    };
    assert_eq!(state(4).await, Some(out), "and it never goes back");
    answer(&store, &target, 2, jobs[0], "22", 10).await;
    let half = RequestState { finished: 1, ..out };
    assert_eq!(state(99).await, Some(half));
    let over = RequestState { expired: 1, ..half };
    assert_eq!(state(100).await, Some(over));
    assert!(over.is_over() && !half.is_over());
}

pub async fn a_lost_job_is_made_again_once(store: Store) {
    let (target, _) = with_a_slot_out(&store).await;
    let counts = store.count_jobs(at(1000)).await.unwrap();
    assert_eq!((counts.newly_lost, counts.made_again), (1, 1));
    let due = store.claim_requests(at(1000), 9, LEASE).await.unwrap();
    let [redo] = due.as_slice() else {
        panic!("one request: {due:?}")
    };
    assert_eq!((redo.kind, redo.target.id), (RequestKind::Redo, target.id));
    assert_eq!(redo.hosts, Some(vec![ip(1)]));
    assert_eq!(redo.ports, Some(ports("22,80")));
    assert!(take_run(&store, run_of_request(redo, &[1], at(1100), at(1000))).await);
    assert_eq!(
        store.claim_due(at(1099), 1, LEASE).await.unwrap(),
        [],
        "it holds the slot"
    );

    let counts = store.count_jobs(at(1100)).await.unwrap();
    assert_eq!((counts.newly_lost, counts.made_again), (1, 0));
    assert_eq!(store.claim_requests(at(1100), 9, LEASE).await.unwrap(), []);
}

pub async fn a_lost_verification_is_not_made_again(store: Store) {
    let (target, slot) = with_a_slot_out(&store).await;
    store
        .add_requests(vec![request(&target, 7, RequestKind::Verify)])
        .await
        .unwrap();
    let due = store.claim_requests(at(2), 9, LEASE).await.unwrap();
    assert!(take_run(&store, run_of_request(&due[0], &[1], at(100), at(3))).await);
    answer(&store, &target, 1, slot, "22", 10).await;
    let counts = store.count_jobs(at(100)).await.unwrap();
    assert_eq!((counts.newly_lost, counts.made_again), (1, 0));
}

pub async fn hosts_that_a_discovery_found_are_asked_for(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    assert_eq!(due[0].known.full_at, None);
    let discovery = NewRun {
        kind: RunKind::Discovery,
        ..run(&due[0], &[1], at(1000))
    };
    let job = discovery.jobs[0].id;
    assert!(take_run(&store, discovery).await);
    answer(&store, &target, 1, job, "", 10).await;

    let found = store.claim_requests(at(10), 9, LEASE).await.unwrap();
    assert_eq!(found[0].kind, RequestKind::Discovered);
    assert_eq!(
        found[0].hosts,
        Some(vec![ip(1)]),
        "it is up, though nothing is open"
    );
    assert_eq!(
        store.claim_due(at(301), 1, LEASE).await.unwrap(),
        [],
        "the slot goes on"
    );
    let all = run_of_request(&found[0], &[1], at(1000), at(11));
    let job = all.jobs[0].id;
    assert!(take_run(&store, all).await);
    answer(&store, &target, 2, job, "22", 20).await;

    let next = store.claim_due(at(301), 1, LEASE).await.unwrap();
    assert_eq!(next[0].known.full_at, None, "not all of it was looked at");
    let full = run(&next[0], &[1], at(1000));
    let job = full.jobs[0].id;
    assert!(take_run(&store, full).await);
    answer(&store, &target, 3, job, "22", 310).await;
    let next = store.claim_due(at(601), 1, LEASE).await.unwrap();
    assert_eq!(next[0].known.full_at, Some(at(300)), "when it was made");

    let scans: Vec<Scan> = store.scans(target.id, 9).await.unwrap();
    let kinds: Vec<RunKind> = scans.iter().map(|scan| scan.kind).collect();
    assert_eq!(
        kinds,
        [RunKind::Slot, RunKind::Discovered, RunKind::Discovery]
    );
}

pub async fn a_discovery_that_finds_nobody_ends_the_slot(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
    let discovery = NewRun {
        kind: RunKind::Discovery,
        ..run(&due[0], &[1], at(1000))
    };
    let job = discovery.jobs[0].id;
    assert!(take_run(&store, discovery).await);
    let reports = vec![portwatch_domain::snapshot::HostReport::unknown(ip(1), None)];
    let part = part(&target, job, 0, &reports);
    store
        .apply_snapshot(part, differ(reports, 1, job, at(5)))
        .await
        .unwrap();
    assert_eq!(
        store
            .claim_requests(at(10), 9, SignedDuration::ZERO)
            .await
            .unwrap(),
        []
    );
    assert_eq!(store.claim_due(at(301), 1, LEASE).await.unwrap().len(), 1);
}
