//! Requests, lost jobs, and what the scheduler tells of itself, on SQLite and the in-process bus.

#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use jiff::{SignedDuration, Timestamp};
use portwatch_bus::Route;
use portwatch_domain::change::{About, ChangeKind};
use portwatch_domain::job::Priority;
use portwatch_domain::job::progress::Progress;
use portwatch_scheduler::{Settings, claim};
use portwatch_store::history::HistoryFilter;
use portwatch_store::jobs::JobProgress;
use portwatch_store::requests::{NewRequest, RequestKind, RunKind};
use uuid::Uuid;
use world::{World, target};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn ask(world: &World, kind: RequestKind, ports: Option<&str>) -> Uuid {
    let id = Uuid::new_v4();
    let now = Timestamp::now();
    let request = NewRequest {
        id,
        target: world.target(),
        kind,
        hosts: Some(vec!["127.0.0.1".parse().unwrap()]),
        ports: ports.map(|text| text.parse().unwrap()),
        asked_at: now,
        due_at: now,
    };
    world.store.add_requests(vec![request]).await.unwrap();
    id
}

#[tokio::test]
async fn what_is_asked_for_does_not_wait_for_the_schedule() {
    let mut world = World::with(&[target("here", HOUR)]).await;
    world.run(2);
    let of_slot = world.job().await;
    assert_eq!((of_slot.run, of_slot.priority), (1, Priority::Normal));

    // The slot's job is out, and somebody asks.
    let id = ask(&world, RequestKind::Now, None).await;
    let asked = world.job().await;
    assert_eq!((asked.run, asked.priority), (2, Priority::High));
    assert_eq!(asked.ports.to_string(), "22,80");

    let progress = Progress {
        job: asked.id,
        target: asked.target,
        worker: "tests".to_owned(),
        at: Timestamp::now(),
        sent: 1,
        planned: 2,
        answered: 1,
        open: 1,
    };
    world.publish(Route::Progress, &progress).await;
    let expected = JobProgress {
        sent: 1,
        planned: 2,
        answered: 1,
        open: 1,
    };
    loop {
        let state = world.store.request(id, Timestamp::now()).await.unwrap();
        let state = state.unwrap();
        assert_eq!((state.run, state.jobs, state.finished), (Some(2), 1, 0));
        if state.progress == expected {
            break;
        }
        tokio::task::yield_now().await;
    }
    world.answer(&asked).await;
    let state = world.store.request(id, Timestamp::now()).await.unwrap();
    assert!(state.unwrap().is_over());

    ask(&world, RequestKind::Verify, Some("80")).await;
    let verify = world.job().await;
    assert_eq!((verify.run, verify.priority), (3, Priority::High));
    assert_eq!(verify.ports.to_string(), "80");
    world.answer(&of_slot).await;
    let scans = world.store.scans(world.target(), 10).await.unwrap();
    let kinds: Vec<_> = scans.iter().map(|scan| scan.kind).collect();
    assert_eq!(kinds, [RunKind::Verify, RunKind::Now, RunKind::Slot]);
    world.end().await;
}

/// A job that was made so long ago that its deadline is over.
async fn lost_job(world: &World) {
    let then = Timestamp::now() - HOUR * 5;
    let claimed = claim(&world.store, &Settings::default(), then)
        .await
        .unwrap();
    assert_eq!(claimed.made, 1);
}

#[tokio::test]
async fn a_zone_without_workers_is_told_once_and_once_more_when_they_are_back() {
    let mut world = World::at(&[target("here", HOUR)], Timestamp::now() - HOUR * 5).await;
    lost_job(&world).await;
    world.run(2);
    let told = world.news(ChangeKind::ZoneUnattended).await;
    assert!(matches!(told.about, About::Zone(zone) if zone.as_str() == "default"));
    let zones = world.store.zones().await.unwrap();
    assert!(zones[0].work.unattended_since.is_some());
    assert_eq!(zones[0].changes, 1);
    // Its target is overdue as well: it is marked so, and that is not told.
    while world.store.overdue_targets().await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let state = world.store.target_states().await.unwrap().remove(0);
    assert!(state.overdue_since.is_some());

    // What comes next is done by somebody.
    let job = world.job_of_run(2).await;
    world.answer(&job).await;
    world.news(ChangeKind::ZoneAttended).await;
    let zones = world.store.zones().await.unwrap();
    assert_eq!(
        (zones[0].work.unattended_since, zones[0].changes),
        (None, 2)
    );
    assert_eq!(world.store.overdue_targets().await.unwrap(), 0);
    let kinds = [ChangeKind::TargetOverdue, ChangeKind::TargetScanned];
    let of_target = HistoryFilter {
        kinds: kinds.to_vec(),
        ..HistoryFilter::of(world.target(), 10)
    };
    assert_eq!(world.store.history(of_target).await.unwrap(), []);
    world.end().await;
}

#[tokio::test]
async fn a_target_that_is_not_scanned_is_told_once_and_once_more_when_it_is() {
    let mut world = World::at(&[target("here", HOUR)], Timestamp::now() - HOUR * 5).await;
    world.run(2);
    let told = world.news(ChangeKind::TargetOverdue).await;
    assert_eq!(told.subject(), "here");
    assert_eq!(world.store.overdue_targets().await.unwrap(), 1);
    let job = world.job().await;
    world.answer(&job).await;
    let told = world.news(ChangeKind::TargetScanned).await;
    assert_eq!(told.subject(), "here");
    let late = world.store.lateness(Timestamp::now(), 10).await.unwrap();
    assert_eq!(late, []);
    assert_eq!(world.store.overdue_targets().await.unwrap(), 0);
    world.end().await;
}

#[tokio::test]
async fn slots_of_a_clock_that_was_ahead_are_brought_back() {
    let ahead = Timestamp::now() + HOUR * 10;
    let mut world = World::at(&[target("here", HOUR)], ahead).await;
    world.run(1);
    let job = world.job().await;
    assert_eq!(job.run, 1);
    assert!(job.created_at < ahead - HOUR * 9);
    world.end().await;
}
