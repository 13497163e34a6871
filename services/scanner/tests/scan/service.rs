//! The service on the in-process bus: jobs in, snapshots out.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::jobs::{job, state};
use jiff::{SignedDuration, Timestamp};
use portwatch_bus::{Bus, Route, Subscription, in_process, snapshot_shard};
use portwatch_domain::job::{Job, JobId};
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{PART_HOSTS, PortState, Snapshot};
use portwatch_scanner::{Deps, Scanner, Settings, run};
use portwatch_schemas::{Meta, TraceParent, decode, encode};
use tokio_util::sync::CancellationToken;

pub const SHARDS: u16 = 4;
/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

fn body(job: &Job) -> Vec<u8> {
    let meta = Meta {
        id: job.id.0,
        source: "/portwatch/scheduler".to_owned(),
        time: job.created_at,
        trace: TraceParent::new(7, 7),
    };
    encode(&meta, job).unwrap()
}

/// Sends a job in the background: in one process, that lasts until it is done.
pub fn send(bus: &Bus, job: &Job) -> tokio::task::JoinHandle<()> {
    let route = Route::Job {
        zone: job.zone.clone(),
        priority: job.priority,
    };
    let (bus, id, body) = (bus.clone(), job.id.0, body(job));
    tokio::spawn(async move { bus.publish(&route, id, body).await.unwrap() })
}

pub async fn snapshots_of(bus: &Bus, job: &Job) -> Box<dyn Subscription> {
    bus.subscribe(&[snapshot_shard(job.target, SHARDS)], 10)
        .await
        .unwrap()
}

pub async fn next(snapshots: &mut Box<dyn Subscription>) -> (Meta, Snapshot) {
    let delivery = tokio::time::timeout(PATIENCE, snapshots.next())
        .await
        .unwrap()
        .unwrap();
    let decoded = decode(&delivery.body).unwrap();
    delivery.ack().await;
    decoded
}

/// A scanner that runs until the token is cancelled.
pub fn start(
    bus: &Bus,
    settings: Settings,
    stop: &CancellationToken,
) -> tokio::task::JoinHandle<()> {
    let (deps, stop) = (deps(bus, &settings), stop.clone());
    tokio::spawn(async move { run(deps, &settings, stop).await.unwrap() })
}

fn deps(bus: &Bus, settings: &Settings) -> Deps {
    Deps::new(bus.clone(), SHARDS, Scanner::new(settings).unwrap())
}

pub fn set(ports: &[u16]) -> PortSet {
    ports.iter().copied().map(Port::tcp).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_becomes_a_snapshot_in_parts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut hosts = vec![(IpAddr::V4(Ipv4Addr::LOCALHOST), set(&[port]))];
    hosts.extend((1..=40).map(|last| {
        (
            IpAddr::V4(Ipv4Addr::new(127, 45, 0, last)),
            PortSet::empty(),
        )
    }));
    let job = job(&hosts, set(&[port]));

    let (bus, stop) = (in_process::new(SHARDS), CancellationToken::new());
    let mut snapshots = snapshots_of(&bus, &job).await;
    let (settings, stopped) = (Settings::default(), stop.clone());
    let deps = deps(&bus, &settings);
    let mut progress = deps.progress.subscribe();
    let service = tokio::spawn(async move { run(deps, &settings, stopped).await.unwrap() });
    let sent = send(&bus, &job);

    let told = progress.recv().await.unwrap();
    assert_eq!((told.job, told.progress.total), (job.id, 41));
    for part in 0..2 {
        let (meta, snapshot) = next(&mut snapshots).await;
        assert_eq!(meta.trace.trace_id, 7, "the trace goes on");
        assert_eq!((snapshot.part, snapshot.parts), (part, 2));
        assert_eq!((snapshot.job, snapshot.run), (job.id, 1));
        let first = usize::try_from(part).unwrap() * PART_HOSTS;
        for (report, host) in snapshot.hosts.iter().zip(&job.hosts[first..]) {
            assert_eq!(report.ip, host.ip);
            let open = report.ip == Ipv4Addr::LOCALHOST;
            let expected = if open {
                PortState::Open
            } else {
                PortState::Closed
            };
            assert_eq!(state(report, port), Some(expected), "{}", report.ip);
        }
    }
    sent.await.unwrap();
    stop.cancel();
    service.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_comes_too_late_is_not_scanned() {
    let mut job = job(
        &[(IpAddr::V4(Ipv4Addr::LOCALHOST), PortSet::empty())],
        set(&[9]),
    );
    job.deadline = Timestamp::now() - SignedDuration::from_secs(1);
    let mut next_job = job.clone();
    next_job.id = JobId::derive(job.target, 2, 0);
    next_job.run = 2;
    next_job.deadline = Timestamp::now() + SignedDuration::from_mins(1);

    let (bus, stop) = (in_process::new(SHARDS), CancellationToken::new());
    let mut snapshots = snapshots_of(&bus, &job).await;
    let service = start(&bus, Settings::default(), &stop);
    send(&bus, &job).await.unwrap();
    let sent = send(&bus, &next_job);
    let (_, snapshot) = next(&mut snapshots).await;
    assert_eq!(snapshot.job, next_job.id, "the late one left no snapshot");
    sent.await.unwrap();
    stop.cancel();
    service.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_not_done_at_the_end_of_the_grace_is_handed_back_and_scanned_by_another() {
    let ports = (1..=3000).map(Port::tcp).collect();
    let mut job = job(
        &[(IpAddr::V4(Ipv4Addr::LOCALHOST), PortSet::empty())],
        ports,
    );
    // The first worker would need five minutes.
    job.rate = 100_000;
    let slow = Settings {
        rate: 10.try_into().unwrap(),
        grace: SignedDuration::ZERO,
        ..Settings::default()
    };
    let (bus, stop) = (in_process::new(SHARDS), CancellationToken::new());
    let mut snapshots = snapshots_of(&bus, &job).await;
    let deps = deps(&bus, &slow);
    let mut progress = deps.progress.subscribe();
    let stopped = stop.clone();
    let service = tokio::spawn(async move { run(deps, &slow, stopped).await.unwrap() });
    let sent = send(&bus, &job);
    progress.recv().await.unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, service)
        .await
        .unwrap()
        .unwrap();

    let stop = CancellationToken::new();
    let service = start(&bus, Settings::default(), &stop);
    let (_, snapshot) = next(&mut snapshots).await;
    assert_eq!(snapshot.job, job.id);
    assert_eq!(snapshot.hosts[0].coverage.len(), 3000);
    sent.await.unwrap();
    stop.cancel();
    service.await.unwrap();
}
