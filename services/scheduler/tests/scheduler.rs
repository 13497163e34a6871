//! The scheduler on SQLite and the in-process bus.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_bus::{Bus, Consumer, Received, Route, in_process};
use portwatch_domain::job::{Job, Priority};
use portwatch_domain::target::Zone;
use portwatch_runtime::settings::List;
use portwatch_scheduler::{Deps, Settings, Source, TargetSettings, run, sync};
use portwatch_store::snapshots::{Applied, Decided, SnapshotPart};
use portwatch_store::{Store, sqlite};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

struct World {
    store: Store,
    bus: Bus,
    jobs: mpsc::UnboundedReceiver<Job>,
    shutdown: CancellationToken,
    _folder: TempDir,
}

fn target(name: &str, interval: SignedDuration) -> TargetSettings {
    TargetSettings {
        name: name.to_owned(),
        addresses: List(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]),
        exclude: List(vec!["::1".to_owned()]),
        ports: Some("22,80".to_owned()),
        interval: Some(interval),
        ..TargetSettings::default()
    }
}

impl World {
    /// Schedulers at work on these targets, and a worker that only takes note of jobs.
    async fn with(targets: &[TargetSettings], schedulers: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let store = sqlite::open(&folder.path().join("test.db")).unwrap();
        let bus = in_process::new(1);
        let shutdown = CancellationToken::new();
        let targets = Source::Settings.targets(&[], targets).unwrap();
        sync(&store, Source::Settings, &targets).await.unwrap();

        let (sender, jobs) = mpsc::unbounded_channel();
        let priorities = [Priority::High, Priority::Normal];
        let route = |priority| Route::Job {
            zone: Zone::default(),
            priority,
        };
        let consumer = Consumer {
            bus: bus.clone(),
            routes: priorities.map(route).into(),
            concurrency: 4,
            grace: Duration::from_secs(1),
        };
        let stop = shutdown.clone();
        tokio::spawn(async move {
            let take = |received: Received<Job>| {
                sender.send(received.message).unwrap();
                async { Ok(()) }
            };
            consumer.run(take, stop).await.unwrap();
        });
        for _ in 0..schedulers {
            let deps = Deps {
                store: store.clone(),
                bus: bus.clone(),
                roxy_wi: None,
            };
            let stop = shutdown.clone();
            tokio::spawn(async move { run(deps, &Settings::default(), stop).await });
        }
        Self {
            store,
            bus,
            jobs,
            shutdown,
            _folder: folder,
        }
    }

    async fn job(&mut self) -> Job {
        tokio::time::timeout(Duration::from_secs(30), self.jobs.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// Answers a job with a snapshot that says nothing.
    async fn answer(&self, job: &Job) {
        let hosts: Vec<IpAddr> = job.hosts.iter().map(|host| host.ip).collect();
        let part = SnapshotPart {
            job: job.id,
            part: 0,
            target: job.target,
            run: job.run,
            hosts,
            now: Timestamp::now(),
        };
        let decide = |_| Decided::default();
        assert_eq!(
            self.store
                .apply_snapshot(part, Box::new(decide))
                .await
                .unwrap(),
            Applied::Applied
        );
    }
}

#[tokio::test]
async fn a_target_has_one_job_out_at_a_time() {
    let mut world = World::with(&[target("here", SignedDuration::from_secs(1))], 3).await;
    let first = world.job().await;
    assert_eq!((first.run, first.index), (1, 0));
    // Addresses and names stand for one host, and what is excluded is not in the job.
    let hosts: Vec<_> = first
        .hosts
        .iter()
        .map(|host| (host.ip, host.name.as_deref()))
        .collect();
    assert_eq!(
        hosts,
        [(IpAddr::V4(Ipv4Addr::LOCALHOST), Some("localhost"))]
    );
    assert!(first.deadline > first.created_at);

    // The next slots pass while the job is out; nothing is made for them.
    let slot = world.store.next_due().await.unwrap().unwrap();
    while Timestamp::now() < slot + SignedDuration::from_millis(500) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        world.jobs.is_empty(),
        "a second job while the first was out"
    );

    world.answer(&first).await;
    let second = world.job().await;
    assert_eq!(second.run, 2);
    assert_ne!(second.id, first.id);
    world.shutdown.cancel();
    world.bus.close().await;
}

#[tokio::test]
async fn many_schedulers_make_one_job_of_each_target() {
    let hour = SignedDuration::from_hours(1);
    let targets: Vec<_> = (0..50)
        .map(|number| target(&format!("target {number}"), hour))
        .collect();
    let mut world = World::with(&targets, 4).await;
    let mut seen = HashSet::new();
    for _ in 0..targets.len() {
        let job = world.job().await;
        assert!(seen.insert(job.target), "two jobs for one slot");
    }
    assert!(world.store.next_due().await.unwrap().unwrap() > Timestamp::now());
    assert!(world.jobs.is_empty());
    world.shutdown.cancel();
}

#[tokio::test]
async fn a_target_that_is_switched_off_or_unlisted_is_not_scanned() {
    let hour = SignedDuration::from_hours(1);
    let off = TargetSettings {
        enabled: Some(false),
        ..target("off", hour)
    };
    let mut world = World::with(&[target("on", hour), off], 1).await;
    assert_eq!(world.job().await.run, 1);
    assert!(world.jobs.is_empty());
    sync(&world.store, Source::Settings, &[]).await.unwrap();
    assert_eq!(world.store.next_due().await.unwrap(), None);
    world.shutdown.cancel();
}

#[tokio::test]
async fn two_installations_share_no_id() {
    let hour = SignedDuration::from_hours(1);
    let mut one = World::with(&[target("here", hour)], 1).await;
    let mut other = World::with(&[target("here", hour)], 1).await;
    let (job, other_job) = (one.job().await, other.job().await);
    assert_eq!(job.run, other_job.run);
    assert_ne!(job.target, other_job.target);
    assert_ne!(job.id, other_job.id);
    one.shutdown.cancel();
    other.shutdown.cancel();
}
