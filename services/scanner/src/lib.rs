//! Consumes jobs. Publishes snapshots. Guarantees that no verdict is told that was not proven: what is not
//! conclusive is not covered, no packet goes to what is excluded, and no rate is exceeded.
//!
//! A job goes through [`Scanner`], which runs the engine (a state machine without sockets or clock) over a wire
//! on a thread of its own: raw sockets where they are permitted, connections where they are not.

pub mod capability;
mod connect;
mod drive;
mod engine;
mod exclude;
mod parts;
mod route;
mod scan;
mod service;
mod settings;
mod sockets;
mod source_ports;
mod wire;

use std::time::Duration;

use portwatch_bus::{Bus, BusError, Consumer, Received, Route};
use portwatch_domain::job::{Job, JobId, Priority};
use portwatch_domain::target::TargetId;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub use engine::{Progress, Rejected};
pub use route::source_towards;
pub use scan::{Scan, ScanError, Scanner, method};
pub use settings::{MethodSetting, Settings};

/// How many reports of progress a listener may be behind before it misses some.
const PROGRESS_KEPT: usize = 64;

/// How far a job's scan is.
#[derive(Clone, Copy, Debug)]
pub struct JobProgress {
    /// Which job.
    pub job: JobId,
    /// For which target.
    pub target: TargetId,
    /// How far it is.
    pub progress: Progress,
}

/// What the scanner works with.
#[derive(Clone)]
pub struct Deps {
    /// Where jobs come from and snapshots go.
    pub bus: Bus,
    /// How many queues the snapshots are spread over.
    pub snapshot_shards: u16,
    /// Tells every tenth of a second how far each scan is.
    pub progress: broadcast::Sender<JobProgress>,
}

impl Deps {
    /// A scanner on this bus, whose progress nobody listens to yet.
    pub fn new(bus: Bus, snapshot_shards: u16) -> Self {
        let (progress, _) = broadcast::channel(PROGRESS_KEPT);
        Self {
            bus,
            snapshot_shards,
            progress,
        }
    }
}

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// It cannot scan at all.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The bus can no longer be consumed from.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Runs until the token is cancelled, then finishes the jobs in hand or, after a grace, hands them back. Any
/// number of scanners may share a zone.
///
/// # Errors
/// If the settings ask for what this process may not do, or the bus is gone for good.
pub async fn run(
    deps: Deps,
    settings: &Settings,
    shutdown: CancellationToken,
) -> Result<(), ServiceError> {
    service::describe();
    let scanner = Scanner::new(settings)?;
    let worker = settings.worker();
    let zone = &settings.zone;
    let route = |priority| Route::Job {
        zone: zone.clone(),
        priority,
    };
    let consumer = Consumer {
        bus: deps.bus.clone(),
        routes: [Priority::High, Priority::Normal].map(route).into(),
        concurrency: settings.concurrency,
        grace: Duration::from_secs(settings.grace_seconds.into()),
    };
    let handler = |received: Received<Job>| service::handle(&deps, &scanner, &worker, received);
    Ok(consumer.run(handler, shutdown).await?)
}
