//! Consumes jobs. Publishes snapshots, and how far urgent jobs are. Guarantees that no verdict is told that was
//! not proven: what is not conclusive is not covered, no packet goes to what is excluded, and no rate is exceeded.
//!
//! A job goes through [`Scanner`], which runs the engine (a state machine without sockets or clock) over a wire
//! on a thread of its own: raw sockets where they are permitted, connections where they are not.

pub mod capability;
mod connect;
pub mod detect;
mod drive;
mod engine;
mod error_queue;
mod exclude;
mod meters;
mod parts;
pub mod privilege;
mod progress;
mod route;
mod scan;
mod service;
mod settings;
#[cfg(test)]
mod skipped;
mod sockets;
mod source_ports;
mod udp;
mod wire;

use std::time::Duration;

use portwatch_bus::{Consumer, Received, Route};
use portwatch_domain::job::{Job, Priority};
use tokio_util::sync::CancellationToken;

pub use engine::{Progress, Rejected};
pub use exclude::Exclusions;
pub use route::source_towards;
pub use scan::{SELF_SET_RATE, Scan, ScanError, Scanner, method};
pub use service::{Deps, JobProgress, ServiceError};
pub use settings::{MethodSetting, Retries, ServicesSetting, Settings};

use detect::Inquiry;

/// Runs until the token is cancelled, then finishes the jobs in hand or, after a grace, hands them back. Any
/// number of scanners may share a zone.
///
/// # Errors
/// If the bus is gone for good.
pub async fn run(
    deps: Deps,
    settings: &Settings,
    shutdown: CancellationToken,
) -> Result<(), ServiceError> {
    meters::describe();
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
        grace: Duration::try_from(settings.grace).unwrap_or_default(),
    };
    let inquiry = Inquiry::new(settings, deps.scanner.budget());
    let stop = shutdown.clone();
    let handler =
        |received: Received<Job>| service::handle(&deps, &inquiry, &worker, &stop, received);
    tokio::select! {
        ended = consumer.run(handler, shutdown) => Ok(ended?),
        never = meters::beat() => match never {},
    }
}
