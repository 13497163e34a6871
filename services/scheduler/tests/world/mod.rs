//! A store, a bus, schedulers, and somebody who takes note of what they publish.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_bus::{Bus, Consumer, Received, Route, in_process};
use portwatch_domain::change::{ChangeKind, Changes};
use portwatch_domain::job::{Job, Priority};
use portwatch_domain::target::{Target, TargetId, Zone};
use portwatch_runtime::settings::List;
use portwatch_scheduler::{Deps, Settings, Source, TargetSettings, run};
use portwatch_schemas::{Message, Meta, TraceParent, encode};
use portwatch_store::snapshots::{Applied, Decided, SnapshotPart};
use portwatch_store::{Store, sqlite};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub struct World {
    pub store: Store,
    bus: Bus,
    targets: Vec<Target>,
    jobs: mpsc::UnboundedReceiver<Job>,
    changes: mpsc::UnboundedReceiver<Changes>,
    shutdown: CancellationToken,
    _folder: TempDir,
}

pub fn target(name: &str, interval: SignedDuration) -> TargetSettings {
    TargetSettings {
        name: name.to_owned(),
        addresses: List(vec!["127.0.0.1".to_owned()]),
        ports: Some("22,80".to_owned()),
        interval: Some(interval),
        ..TargetSettings::default()
    }
}

impl World {
    /// These targets, new now.
    pub async fn with(targets: &[TargetSettings]) -> Self {
        Self::at(targets, Timestamp::now()).await
    }

    /// These targets, new at some time.
    pub async fn at(targets: &[TargetSettings], now: Timestamp) -> Self {
        let folder = TempDir::new().unwrap();
        let store = sqlite::open(&folder.path().join("test.db")).unwrap();
        let bus = in_process::new(1);
        let targets = Source::Settings.targets(&[], targets).unwrap();
        store.sync_targets("settings", &targets, now).await.unwrap();
        let shutdown = CancellationToken::new();
        let route = |priority| Route::Job {
            zone: Zone::default(),
            priority,
        };
        let routes = [Priority::High, Priority::Normal].map(route);
        let jobs = take(&bus, routes.into(), &shutdown);
        let changes = take(&bus, vec![Route::Change], &shutdown);
        Self {
            store,
            bus,
            targets,
            jobs,
            changes,
            shutdown,
            _folder: folder,
        }
    }

    /// Sets schedulers to work.
    pub fn run(&self, schedulers: usize) {
        for _ in 0..schedulers {
            let deps = Deps {
                store: self.store.clone(),
                bus: self.bus.clone(),
                roxy_wi: None,
            };
            let stop = self.shutdown.clone();
            tokio::spawn(async move { run(deps, &Settings::default(), stop).await });
        }
    }

    /// The only target.
    pub fn target(&self) -> TargetId {
        self.targets[0].id
    }

    /// The next job.
    pub async fn job(&mut self) -> Job {
        soon(self.jobs.recv()).await
    }

    /// The next job that is of this run.
    pub async fn job_of_run(&mut self, run: u64) -> Job {
        loop {
            let job = self.job().await;
            if job.run == run {
                return job;
            }
        }
    }

    /// The next change of this kind.
    pub async fn news(&mut self, kind: ChangeKind) -> Changes {
        loop {
            let news = soon(self.changes.recv()).await;
            if news.changes[0].kind() == kind {
                return news;
            }
        }
    }

    pub async fn publish<M: Message>(&self, route: Route, message: &M) {
        let meta = Meta {
            id: Uuid::new_v4(),
            source: "/portwatch/tests".to_owned(),
            time: Timestamp::now(),
            trace: TraceParent::new(1, 1),
        };
        let body = encode(&meta, message).unwrap();
        self.bus.publish(&route, meta.id, body).await.unwrap();
    }

    /// Answers a job with a snapshot that says nothing.
    pub async fn answer(&self, job: &Job) {
        let hosts: Vec<IpAddr> = job.hosts.iter().map(|host| host.ip).collect();
        let part = SnapshotPart {
            job: job.id,
            part: 0,
            target: job.target,
            run: job.run,
            hosts,
            now: Timestamp::now(),
        };
        let decide = Box::new(|_| Decided::default());
        let applied = self.store.apply_snapshot(part, decide).await.unwrap();
        assert_eq!(applied, Applied::Applied);
    }

    pub async fn end(self) {
        self.shutdown.cancel();
        self.bus.close().await;
    }
}

async fn soon<T>(next: impl Future<Output = Option<T>>) -> T {
    let next = tokio::time::timeout(Duration::from_secs(30), next).await;
    next.unwrap().unwrap()
}

/// Takes note of all messages of these routes.
fn take<M: Message + Send + 'static>(
    bus: &Bus,
    routes: Vec<Route>,
    shutdown: &CancellationToken,
) -> mpsc::UnboundedReceiver<M> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let consumer = Consumer {
        bus: bus.clone(),
        routes,
        concurrency: 4,
        grace: Duration::from_secs(1),
    };
    let stop = shutdown.clone();
    tokio::spawn(async move {
        let take = |received: Received<M>| {
            // The receiver goes when the test ends.
            let _ = sender.send(received.message);
            async { Ok(()) }
        };
        consumer.run(take, stop).await.unwrap();
    });
    receiver
}
