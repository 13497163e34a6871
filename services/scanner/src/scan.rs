//! Runs a job: from the job to what was seen. The service and `portwatch scan` both go through here.

mod task;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use portwatch_domain::job::Job;
use portwatch_domain::ports::PortSet;
use portwatch_domain::snapshot::{HostReport, Method};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::capability::{self, Denied};
use crate::detect::Budget;
use crate::drive::Monotonic;
use crate::engine::{Pacer, Progress, Rejected};
use crate::settings::{MethodSetting, Settings};
use crate::sockets::Sockets;
use crate::source_ports::SourcePortsError;
use crate::wire::WireError;
use task::Task;

/// A job with this rate or more leaves it to the scan to find out how fast it may go.
pub const SELF_SET_RATE: u32 = 10_000_000;
/// Room for more than 100,000 answers.
const RING_BYTES: usize = 16 << 20;
const LEAST_RING_BYTES: usize = 4 << 20;

/// Why there can be no scan.
#[derive(Debug, Error)]
pub enum ScanError {
    /// The settings ask for SYN packets, which this process may not send.
    #[error("scanner.method is \"syn\", but {denied}; {}", denied.mend())]
    Denied {
        /// What is missing.
        denied: Denied,
    },
    /// A socket failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// There are no source ports.
    #[error(transparent)]
    SourcePorts(#[from] SourcePortsError),
    /// The kernel has no random numbers.
    #[error("cannot draw the keys of a scan")]
    Random(#[source] getrandom::Error),
    /// The thread for the packets cannot be had.
    #[error("cannot start a thread for the packets of a scan")]
    Thread(#[source] io::Error),
    /// The thread ended without a result.
    #[error("the thread of the scan broke down")]
    Broken,
}

/// What a scan saw.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The hosts, in the order of the job.
    pub hosts: Vec<HostReport>,
    /// The filtered ports that were rejected by ICMP.
    pub rejected: Vec<Rejected>,
    /// The UDP ports without a verdict of those hosts that have some: open or filtered.
    pub undecided: Vec<(IpAddr, PortSet)>,
    /// How it was scanned.
    pub method: Method,
    /// How many probes were sent.
    pub probes: u64,
    /// How many proven answers came.
    pub answers: u64,
    /// How many packets looked like answers and proved nothing.
    pub unproven: u64,
    /// How often the receive queue overflowed.
    pub overflows: u32,
    /// False if it was told to stop; what was not told by then is not covered.
    pub complete: bool,
    /// When the first probe was sent.
    pub started_at: Timestamp,
    /// When the last verdict was made.
    pub finished_at: Timestamp,
}

/// Scans jobs; any number at once, which share the rates of the settings.
#[derive(Debug)]
pub struct Scanner {
    method: Method,
    settings: Settings,
    pacer: Arc<Pacer>,
    clock: Monotonic,
    /// Raw sockets that no scan uses at the moment.
    idle: Arc<Mutex<Vec<Sockets>>>,
}

/// How scans with these settings are done by this process.
pub fn method(settings: &Settings) -> Method {
    match settings.method {
        MethodSetting::Syn => Method::Syn,
        MethodSetting::Auto if capability::raw_sockets().is_ok() => Method::Syn,
        MethodSetting::Auto | MethodSetting::Connect => Method::Connect,
    }
}

impl Scanner {
    /// Finds out how to scan, and opens all sockets for it: nothing that comes later needs a privilege. If raw
    /// sockets are not permitted, that is logged, with how to permit them.
    ///
    /// # Errors
    /// If the settings insist on SYN packets and this process may not send them.
    pub fn new(settings: &Settings) -> Result<Self, ScanError> {
        let (method, sockets) = match settings.method {
            MethodSetting::Connect => (Method::Connect, Vec::new()),
            MethodSetting::Syn | MethodSetting::Auto => match open_sockets(settings) {
                Ok(sockets) => (Method::Syn, sockets),
                Err(error) => (
                    without_sockets(settings, &Denied::because(&error))?,
                    Vec::new(),
                ),
            },
        };
        Ok(Self {
            method,
            settings: settings.clone(),
            pacer: Arc::new(Pacer::new(settings.rates())),
            clock: Monotonic::start(),
            idle: Arc::new(Mutex::new(sockets)),
        })
    }

    /// What detection takes its tokens from: the same buckets.
    pub(crate) fn budget(&self) -> Budget {
        Budget::shared(self.pacer.clone(), self.clock)
    }

    /// How it scans.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Scans the job, until it is done, its deadline passes, or `stop` is cancelled; then it returns what is
    /// known. `progress` is called every tenth of a second, on the thread of the scan.
    ///
    /// If the future is dropped, the scan stops.
    ///
    /// # Errors
    /// If the sockets fail. What was seen until then is lost.
    pub async fn scan(
        &self,
        job: &Job,
        progress: impl FnMut(Progress) + Send + 'static,
        stop: CancellationToken,
    ) -> Result<Scan, ScanError> {
        let stop = stop.child_token();
        let _stop_if_dropped = stop.clone().drop_guard();
        let (done, result) = oneshot::channel();
        let task = Task {
            job: job.clone(),
            method: self.method,
            settings: self.settings.clone(),
            pacer: self.pacer.clone(),
            clock: self.clock,
            idle: self.idle.clone(),
            runtime: Handle::current(),
            stop,
        };
        std::thread::Builder::new()
            .name("scan".to_owned())
            .spawn(move || {
                // If nobody waits for the result any more, nobody wants it.
                let _ = done.send(task.run(progress));
            })
            .map_err(ScanError::Thread)?;
        result.await.map_err(|_| ScanError::Broken)?
    }
}

/// The sockets of as many scans as may run at once.
fn open_sockets(settings: &Settings) -> Result<Vec<Sockets>, WireError> {
    let ring = ring_bytes(settings);
    (0..settings.concurrency.max(1))
        .map(|_| Sockets::open(ring))
        .collect()
}

/// How to scan without raw sockets, if that will do.
fn without_sockets(settings: &Settings, denied: &Denied) -> Result<Method, ScanError> {
    if settings.method == MethodSetting::Syn {
        let denied = denied.clone();
        return Err(ScanError::Denied { denied });
    }
    let mend = denied.mend();
    tracing::warn!(%denied, mend, "no raw sockets: scanning with whole connections, which is slower and seen by every service");
    Ok(Method::Connect)
}

/// The receive rings of all scans at once have what a single one should have.
fn ring_bytes(settings: &Settings) -> usize {
    (RING_BYTES / usize::from(settings.concurrency).max(1)).max(LEAST_RING_BYTES)
}
