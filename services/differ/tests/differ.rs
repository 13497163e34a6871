//! The differ on SQLite and the in-process bus: what it makes of snapshots, whatever their order.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_bus::{Bus, Consumer, HandlerError, Received, Route, in_process, snapshot_shard};
use portwatch_differ::{Deps, Settings, run};
use portwatch_domain::change::{ChangeKind, Changes, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::service::SafeText;
use portwatch_domain::snapshot::{
    Answer, Evidence, HostReport, HostState, Method, PortState, PortVerdict, Service, Snapshot,
};
use portwatch_domain::target::{Address, Confirm, Schedule, Switches, Target, TargetId, Zone};
use portwatch_schemas::{Meta, TraceParent, encode};
use portwatch_store::history::HistoryFilter;
use portwatch_store::jobs::{Cause, JobRow, NewRun};
use portwatch_store::requests::{RequestKind, RunKind};
use portwatch_store::{Store, sqlite};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SHARDS: u16 = 2;

fn target(switches: Switches) -> Target {
    Target {
        id: TargetId::derive("test", "here"),
        name: "here".to_owned(),
        group: "default".to_owned(),
        zone: Zone::default(),
        addresses: vec![Address::Ip(HOST)],
        exclude: Vec::new(),
        ports: "22,80".parse().unwrap(),
        expected: None,
        tags: Vec::new(),
        allowed: PortSet::empty(),
        confirm: Confirm::default(),
        schedule: Schedule::every(SignedDuration::from_mins(5)),
        discovery: false,
        follow_names: false,
        rate: 1000,
        switches,
    }
}

/// A differ at work, with somebody who hears what it tells.
struct World {
    store: Store,
    bus: Bus,
    target: Target,
    told: mpsc::UnboundedReceiver<Changes>,
    shutdown: CancellationToken,
    _folder: TempDir,
}

impl World {
    async fn with(switches: Switches) -> Self {
        let folder = TempDir::new().unwrap();
        let store = sqlite::open(&folder.path().join("test.db")).unwrap();
        let bus = in_process::new(SHARDS);
        let target = target(switches);
        store
            .sync_targets("test", std::slice::from_ref(&target), Timestamp::now())
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let deps = Deps {
            store: store.clone(),
            bus: bus.clone(),
            snapshot_shards: SHARDS,
            observer: None,
        };
        let stop = shutdown.clone();
        tokio::spawn(async move { run(deps, &Settings::default(), stop).await.unwrap() });

        let (sender, told) = mpsc::unbounded_channel();
        let consumer = Consumer {
            bus: bus.clone(),
            routes: vec![Route::Change],
            concurrency: 4,
            grace: Duration::from_secs(1),
        };
        let stop = shutdown.clone();
        tokio::spawn(async move {
            let hear = |received: Received<Changes>| {
                let sent = sender.send(received.message);
                async move { sent.map_err(|_| HandlerError::Dead("nobody hears".to_owned())) }
            };
            consumer.run(hear, stop).await.unwrap();
        });
        Self {
            store,
            bus,
            target,
            told,
            shutdown,
            _folder: folder,
        }
    }

    /// Publishes the snapshot of a run in which these ports are open and the others closed, and
    /// returns when it is handled.
    async fn snapshot(&self, run: u64, open: &[u16]) {
        let job = JobId::derive(self.target.id, run, 0);
        self.save_run(run, job).await;
        self.publish(run, job, open).await;
    }

    async fn publish(&self, run: u64, job: JobId, open: &[u16]) {
        let verdict = |port: u16| {
            let is_open = open.contains(&port);
            let (state, answer) = if is_open {
                (PortState::Open, Answer::SynAck)
            } else {
                (PortState::Closed, Answer::Rst)
            };
            let evidence = Evidence {
                answer,
                ttl: Some(64),
                rtt: None,
                probes: 2,
            };
            PortVerdict {
                port: Port::tcp(port),
                state,
                evidence,
                service: is_open.then(ssh),
            }
        };
        let report = HostReport {
            state: HostState::Up,
            coverage: self.target.ports.clone(),
            ports: [22, 80].into_iter().map(verdict).collect(),
            filtered: PortSet::empty(),
            ..HostReport::unknown(HOST, None)
        };
        let snapshot = Snapshot {
            job,
            target: self.target.id,
            run,
            part: 0,
            parts: 1,
            method: Method::Syn,
            worker: "test".to_owned(),
            started_at: Timestamp::now(),
            finished_at: Timestamp::now(),
            hosts: vec![report],
        };
        let id = Uuid::new_v5(&job.0, b"0");
        let trace = TraceParent::new(1, 1);
        let meta = Meta {
            id,
            source: "/test".to_owned(),
            time: Timestamp::now(),
            trace,
        };
        let body = encode(&meta, &snapshot).unwrap();
        self.bus
            .publish(&snapshot_shard(self.target.id, SHARDS), id, body)
            .await
            .unwrap();
    }

    async fn save_run(&self, run: u64, job: JobId) {
        let now = Timestamp::now();
        let new = NewRun {
            target: self.target.id,
            cause: Cause::Slot {
                slot: Timestamp::from_second(i64::try_from(run).unwrap()).unwrap(),
                next_slot: now + SignedDuration::from_hours(1),
                overdue_at: now + SignedDuration::from_hours(4),
            },
            kind: RunKind::Slot,
            run,
            now,
            jobs: vec![JobRow {
                id: job,
                parts: 1,
                deadline: now + SignedDuration::from_mins(5),
                hosts: vec![HOST],
                ports: self.target.ports.clone(),
            }],
            names: None,
            moved: Vec::new(),
            changes: Vec::new(),
            outbox: Vec::new(),
        };
        self.store.save_runs(vec![new]).await.unwrap();
    }

    async fn next(&mut self) -> (ChangeKind, Changes) {
        let told = tokio::time::timeout(Duration::from_secs(30), self.told.recv()).await;
        let told = told.unwrap().unwrap();
        (told.changes[0].kind(), told)
    }

    /// What was told beside what was looked at. Every publish returns when it is handled, and what
    /// was decided is in the outbox by then; so the outbox is empty when all has been told.
    async fn rest(&mut self) -> usize {
        while self
            .store
            .outbox_depth(portwatch_store::outbox::Topic::Change)
            .await
            .unwrap()
            > 0
        {
            tokio::task::yield_now().await;
        }
        self.shutdown.cancel();
        self.told.len()
    }
}

fn ssh() -> Service {
    Service {
        product: Some(SafeText::new("OpenSSH_9.2p1")),
        ..Service::default()
    }
}

#[tokio::test]
async fn the_baseline_is_silent_and_each_change_is_told_once() {
    let mut world = World::with(Switches::default()).await;
    world.snapshot(1, &[22]).await;
    world.snapshot(2, &[22, 80]).await;
    world.snapshot(3, &[22, 80]).await;
    let (kind, opened) = world.next().await;
    assert_eq!((kind, opened.changes.len()), (ChangeKind::PortOpened, 1));
    assert_eq!(opened.target().unwrap().name, "here");
    let Transition::Port { service, .. } = &opened.changes[0].transition else {
        panic!("a port opened")
    };
    assert_eq!(*service, Some(ssh()), "what listens there is told with it");
    world.snapshot(4, &[80]).await;
    // Somebody is to look again, at that port only.
    let lease = SignedDuration::from_secs(1);
    let asked = world
        .store
        .claim_requests(Timestamp::now(), 10, lease)
        .await
        .unwrap();
    let [request] = asked.as_slice() else {
        panic!("one request: {asked:?}")
    };
    assert_eq!(request.kind, RequestKind::Verify);
    assert_eq!(request.hosts, Some(vec![HOST]));
    assert_eq!(request.ports, Some("22".parse().unwrap()));
    world.snapshot(5, &[80]).await;
    let (kind, closed) = world.next().await;
    assert_eq!(kind, ChangeKind::PortClosed);
    assert_eq!(
        closed.job,
        Some(JobId::derive(world.target.id, 5, 0)),
        "a second scan agrees"
    );
    assert_eq!(world.rest().await, 0);
}

#[tokio::test]
async fn a_snapshot_that_comes_twice_or_late_changes_nothing() {
    let mut world = World::with(Switches::default()).await;
    world.snapshot(1, &[22]).await;
    world.snapshot(3, &[22, 80]).await;
    world.snapshot(3, &[22, 80]).await;
    world.snapshot(2, &[]).await;
    world.snapshot(1, &[22]).await;
    assert_eq!(world.next().await.0, ChangeKind::PortOpened);
    assert_eq!(world.rest().await, 0);
    let hosts = world.store.hosts(world.target.id).await.unwrap();
    assert_eq!(hosts[0].open(), "22,80".parse().unwrap());
    assert_eq!(hosts[0].runs.newest(), 3);
}

#[tokio::test]
async fn with_history_off_only_the_state_is_kept_and_changes_are_still_told() {
    let mut world = World::with(Switches {
        history: false,
        ..Switches::default()
    })
    .await;
    world.snapshot(1, &[]).await;
    world.snapshot(2, &[80]).await;
    assert!(world.next().await.1.notify);
    assert_eq!(
        world
            .store
            .history(HistoryFilter::of(world.target.id, 10))
            .await
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        world.store.hosts(world.target.id).await.unwrap()[0]
            .open()
            .len(),
        1
    );
}

#[tokio::test]
async fn with_notify_off_history_grows_and_the_message_says_so() {
    let mut world = World::with(Switches {
        notify: false,
        ..Switches::default()
    })
    .await;
    world.snapshot(1, &[]).await;
    world.snapshot(2, &[80]).await;
    assert!(!world.next().await.1.notify);
    // The host's baseline and the port's opening.
    assert_eq!(
        world
            .store
            .history(HistoryFilter::of(world.target.id, 10))
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_snapshot_of_a_run_that_was_never_made_changes_nothing() {
    let mut world = World::with(Switches::default()).await;
    world.snapshot(1, &[22]).await;
    let forged = JobId::derive(world.target.id, 1_000_000, 0);
    world.publish(1_000_000, forged, &[22, 80]).await;
    assert_eq!(
        world.store.hosts(world.target.id).await.unwrap()[0]
            .runs
            .newest(),
        1
    );
    world.snapshot(2, &[22, 80]).await;
    let (kind, opened) = world.next().await;
    assert_eq!(kind, ChangeKind::PortOpened);
    assert_eq!(opened.job.unwrap(), JobId::derive(world.target.id, 2, 0));
    assert_eq!(world.rest().await, 0);
}
