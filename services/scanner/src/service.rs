//! One job: scan → publish the parts, confirmed → acknowledge.

use std::sync::Arc;

use jiff::Timestamp;
use metrics::counter;
use portwatch_bus::{Bus, BusError, HandlerError, Received, snapshot_shard};
use portwatch_domain::job::{Job, JobId};
use portwatch_domain::snapshot::Snapshot;
use portwatch_domain::target::TargetId;
use portwatch_schemas::{EncodeError, Meta, TraceParent, encode};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::detect::Inquiry;
use crate::meters::{self, Running};
use crate::parts::{LEVELS_OF_SERVICES, parts, smaller};
use crate::progress::Teller;
use crate::{Progress, Scanner};

/// The sender in the envelopes.
pub(crate) const SOURCE: &str = "/portwatch/scanner";
/// By then, of each host at most one port is left.
const MOST_SHRINKING: u32 = 16 + LEVELS_OF_SERVICES;

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
    /// What scans, with its sockets open.
    pub scanner: Arc<Scanner>,
}

impl Deps {
    /// A scanner on this bus, whose progress nobody listens to yet.
    pub fn new(bus: Bus, snapshot_shards: u16, scanner: Scanner) -> Self {
        let (progress, _) = broadcast::channel(PROGRESS_KEPT);
        Self {
            bus,
            snapshot_shards,
            progress,
            scanner: Arc::new(scanner),
        }
    }
}

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The bus can no longer be consumed from.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Handles one job.
///
/// A scan does not stop at shutdown: the consume loop gives it a grace, and then drops it, which stops it and
/// hands the job back. The inquiry does: what was seen is published without more.
pub(crate) async fn handle(
    deps: &Deps,
    inquiry: &Inquiry,
    worker: &str,
    shutdown: &CancellationToken,
    received: Received<Job>,
) -> Result<(), HandlerError> {
    let Received {
        meta, message: job, ..
    } = received;
    if job.deadline <= Timestamp::now() {
        counter!("portwatch_job_expired_total").increment(1);
        tracing::warn!(job = %job.id, deadline = %job.deadline, "the job came after its deadline and is not scanned");
        return Ok(());
    }
    let (id, target, sender) = (job.id, job.target, deps.progress.clone());
    let mut running = Running::new();
    let (latest, seen) = watch::channel(Progress::default());
    let progress = move |progress| {
        running.count(progress);
        latest.send_replace(progress);
        // Nobody has to listen.
        let _ = sender.send(JobProgress {
            job: id,
            target,
            progress,
        });
    };
    let teller = Teller {
        bus: &deps.bus,
        job: &job,
        worker,
        trace: meta.trace,
    };
    let scan = deps.scanner.scan(&job, progress, CancellationToken::new());
    let mut scan = teller
        .tell_until(scan, seen)
        .await
        .map_err(|error| HandlerError::Retry(format!("job {id} was not scanned: {error}")))?;
    let asked = inquiry.fill(&job, &mut scan, shutdown).await;
    counter!("portwatch_scan_services_total").increment(asked as u64);
    meters::count(&job, &scan);
    for part in parts(&job, &scan, worker) {
        publish(deps, &part, meta.trace).await?;
    }
    Ok(())
}

/// Publishes a part and waits until it is safe. Its id is the same if the job is run again.
async fn publish(deps: &Deps, part: &Snapshot, trace: TraceParent) -> Result<(), HandlerError> {
    let meta = Meta {
        id: Uuid::new_v5(&part.job.0, format!("snapshot\n{}", part.part).as_bytes()),
        source: SOURCE.to_owned(),
        time: Timestamp::now(),
        trace: trace.child(Uuid::new_v4().as_u64_pair().0),
    };
    let mut body = encode(&meta, part);
    let mut level = 0;
    while let Err(EncodeError::TooLarge { .. }) = body
        && level < MOST_SHRINKING
    {
        level += 1;
        body = encode(&meta, &smaller(part, level));
    }
    if level > LEVELS_OF_SERVICES {
        counter!("portwatch_snapshot_shrunk_total").increment(1);
        tracing::warn!(
            job = %part.job,
            part = part.part,
            kept = format_args!("1/{}", 1_u64 << (level - LEVELS_OF_SERVICES)),
            "too much to say for one message: the rest of these hosts' ports is left for later runs"
        );
    }
    let body =
        body.map_err(|error| HandlerError::Dead(format!("the snapshot cannot be sent: {error}")))?;
    let route = snapshot_shard(part.target, deps.snapshot_shards);
    deps.bus
        .publish(&route, meta.id, body)
        .await
        .map_err(|error| HandlerError::Retry(format!("the snapshot was not taken: {error}")))
}
