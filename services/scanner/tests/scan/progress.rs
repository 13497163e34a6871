//! How far a job is, as it is told on the in-process bus.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use portwatch_bus::{Route, Subscription, in_process};
use portwatch_domain::job::progress::Progress;
use portwatch_domain::job::{Job, JobId, Priority};
use portwatch_domain::ports::{Port, PortSet};
use portwatch_scanner::{MethodSetting, Settings};
use portwatch_schemas::{Meta, decode};
use tokio_util::sync::CancellationToken;

use crate::jobs::job;
use crate::service::{SHARDS, next, send, snapshots_of, start};

/// A scan of so many ports at this rate lasts about five seconds: two reports.
const PORTS: u16 = 500;
const RATE: u32 = 100;

fn settings() -> Settings {
    Settings {
        method: MethodSetting::Connect,
        worker: "here".to_owned(),
        ..Settings::default()
    }
}

/// A job of this machine that takes its time, with one port that is open and known to be.
fn slow_job(priority: Priority, open: u16) -> Job {
    let mut ports: PortSet = (1..PORTS).map(Port::tcp).collect();
    ports.insert(Port::tcp(open));
    let known_open = [Port::tcp(open)].into_iter().collect();
    let host = (IpAddr::V4(Ipv4Addr::LOCALHOST), known_open);
    Job {
        priority,
        rate: RATE,
        ..job(&[host], ports)
    }
}

async fn report(reports: &mut Box<dyn Subscription>) -> (Meta, Progress) {
    let delivery = tokio::time::timeout(Duration::from_mins(1), reports.next());
    let delivery = delivery.await.unwrap().unwrap();
    let decoded = decode(&delivery.body).unwrap();
    delivery.ack().await;
    decoded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_somebody_waits_for_is_told_of_every_two_seconds() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let open = listener.local_addr().unwrap().port();
    let urgent = slow_job(Priority::High, open);
    let usual = Job {
        id: JobId::derive(urgent.target, 2, 0),
        run: 2,
        ..slow_job(Priority::Normal, open)
    };
    let (bus, stop) = (in_process::new(SHARDS), CancellationToken::new());
    let mut snapshots = snapshots_of(&bus, &urgent).await;
    let mut reports = bus.subscribe(&[Route::Progress], 10).await.unwrap();
    let service = start(&bus, settings(), &stop);
    let sent = [send(&bus, &urgent), send(&bus, &usual)];

    let (meta, first) = report(&mut reports).await;
    assert_eq!(meta.trace.trace_id, 7, "the trace goes on");
    assert_eq!((first.job, first.target), (urgent.id, urgent.target));
    assert_eq!(first.worker, "here");
    assert_eq!(first.planned, u64::from(PORTS));
    let (_, second) = report(&mut reports).await;
    assert_eq!(second.job, urgent.id);
    assert!(second.at > first.at, "{first:?} {second:?}");
    assert!(second.sent > first.sent, "{first:?} {second:?}");
    assert!(
        second.answered > 0 && second.answered <= second.sent,
        "{second:?}"
    );
    assert!(second.open <= 1, "{second:?}");

    for _ in &sent {
        next(&mut snapshots).await;
    }
    for job in sent {
        job.await.unwrap();
    }
    stop.cancel();
    service.await.unwrap();
    while let Ok(left) = tokio::time::timeout(Duration::ZERO, reports.next()).await {
        let left = left.unwrap();
        let (_, told): (Meta, Progress) = decode(&left.body).unwrap();
        left.ack().await;
        assert_eq!(told.job, urgent.id, "nobody waits for the other");
    }
}
