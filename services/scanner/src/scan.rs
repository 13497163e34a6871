//! Runs a job: from the job to what was seen. The service and `portwatch scan` both go through here.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use portwatch_domain::job::{Job, JobHost};
use portwatch_domain::snapshot::{HostReport, Method};
use portwatch_packet::{Addresses, Key};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::capability::{self, Denied};
use crate::connect::Connections;
use crate::drive::{Clock as _, End, Monotonic, drive};
use crate::engine::{Engine, Pacer, Plan, PlannedHost, Progress, Rejected, Secrets, Window};
use crate::exclude::Exclusions;
use crate::route::source_towards;
use crate::settings::{MethodSetting, Retries, Settings};
use crate::sockets::Sockets;
use crate::source_ports::{SourcePorts, SourcePortsError};
use crate::wire::{Wire, WireError};

/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// The name of a connection is its probe's source port, which no packet carries.
const NAMES_FROM: u16 = 1;

/// A job with this rate or more leaves it to the scan to find out how fast it may go.
pub const SELF_SET_RATE: u32 = 10_000_000;
const FIRST_WINDOW: Window = Window {
    host: 1000,
    network: 4000,
};
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
    /// Finds out how to scan, and opens all sockets for it: nothing that comes later needs a privilege. If raw sockets are not permitted, that is logged, with how to permit them.
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

/// One scan, for its own thread.
struct Task {
    job: Job,
    method: Method,
    settings: Settings,
    pacer: Arc<Pacer>,
    clock: Monotonic,
    idle: Arc<Mutex<Vec<Sockets>>>,
    runtime: Handle,
    stop: CancellationToken,
}

impl Task {
    fn run(&self, progress: impl FnMut(Progress)) -> Result<Scan, ScanError> {
        let started_at = Timestamp::now();
        let exclusions = Exclusions::new(self.job.exclude.iter().chain(&self.settings.exclude.0));
        let hosts = self.hosts(&exclusions);
        let ips: Vec<IpAddr> = hosts.iter().map(|host| host.ip.to_canonical()).collect();
        if self.method == Method::Connect {
            let sources: Vec<_> = ips.iter().map(|&ip| source_towards(ip).ok()).collect();
            let plan = self.plan(&hosts, &sources, NAMES_FROM, started_at)?;
            let mut wire = Connections::new(self.runtime.clone(), self.settings.connections);
            return self.drive(&mut wire, plan, &exclusions, started_at, progress);
        }
        let idle = self.lock_idle().pop();
        let mut wire = idle.map_or_else(|| Sockets::open(ring_bytes(&self.settings)), Ok)?;
        let scan = self.send_syns(&mut wire, &hosts, &ips, &exclusions, started_at, progress);
        // New ones could not be opened any more, and what was wrong may pass.
        let deaf = wire.listen(None);
        self.lock_idle().push(wire);
        deaf?;
        scan
    }

    fn send_syns(
        &self,
        wire: &mut Sockets,
        hosts: &[&JobHost],
        ips: &[IpAddr],
        exclusions: &Exclusions,
        started_at: Timestamp,
        progress: impl FnMut(Progress),
    ) -> Result<Scan, ScanError> {
        let sources = wire.aim(ips)?;
        let ports = SourcePorts::hold()?;
        wire.listen(Some(ports.range()))?;
        let plan = self.plan(hosts, &sources, ports.range().first, started_at)?;
        self.drive(wire, plan, exclusions, started_at, progress)
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<Sockets>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drive(
        &self,
        wire: &mut dyn Wire,
        plan: Plan,
        exclusions: &Exclusions,
        started_at: Timestamp,
        mut progress: impl FnMut(Progress),
    ) -> Result<Scan, ScanError> {
        let now = self.clock.now();
        let mut engine = Engine::new(plan, self.pacer.clone(), now);
        let mut told = now;
        let mut watch = |so_far: Progress| {
            let now = self.clock.now();
            if now >= told + TELL {
                told = now;
                progress(so_far);
            }
            if self.stop.is_cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let end = drive(&mut engine, wire, &self.clock, exclusions, &mut watch)?;
        let counts = engine.progress();
        progress(counts);
        Ok(Scan {
            hosts: self.reports(&engine),
            rejected: engine.rejected(),
            method: self.method,
            probes: counts.sent,
            answers: counts.answers,
            unproven: counts.unproven,
            overflows: counts.overflows,
            complete: end == End::Finished,
            started_at,
            finished_at: Timestamp::now(),
        })
    }

    /// Each host once, without those to which no packet may go: there is nothing to say of them.
    fn hosts(&self, exclusions: &Exclusions) -> Vec<&JobHost> {
        let mut seen = HashSet::new();
        let may_be_scanned = |ip: IpAddr| {
            let may = !ip.is_unspecified() && !ip.is_multicast() && exclusions.permit(ip);
            if !may {
                tracing::debug!(%ip, "not scanned: excluded, or not the address of a host");
            }
            may
        };
        self.job
            .hosts
            .iter()
            .filter(|host| {
                let ip = host.ip.to_canonical();
                may_be_scanned(ip) && seen.insert(ip)
            })
            .collect()
    }

    /// The plan for those hosts that there is a source address for.
    fn plan(
        &self,
        hosts: &[&JobHost],
        sources: &[Option<IpAddr>],
        first_source_port: u16,
        started_at: Timestamp,
    ) -> Result<Plan, ScanError> {
        let mut planned = Vec::with_capacity(hosts.len());
        for (host, source) in hosts.iter().zip(sources) {
            let ip = host.ip.to_canonical();
            let Some(addresses) = source.and_then(|source| Addresses::new(source, ip)) else {
                tracing::debug!(%ip, "not scanned: no route to the host");
                continue;
            };
            planned.push(PlannedHost {
                addresses,
                known_open: host.known_open.clone(),
            });
        }
        let left = self.job.deadline.duration_since(started_at);
        Ok(Plan {
            hosts: planned,
            ports: self.job.ports.clone(),
            rate: self.job.rate,
            window: (self.job.rate >= SELF_SET_RATE).then_some(FIRST_WINDOW),
            attempts: match self.settings.retries {
                Retries::Auto => u8::MAX,
                Retries::Most(retries) => retries.saturating_add(1),
            },
            deadline: self.clock.now() + Duration::try_from(left).unwrap_or_default(),
            max_open_ports: self.settings.max_open_ports,
            first_source_port,
            secrets: secrets()?,
        })
    }

    /// The reports in the order of the job, with names, and with those hosts that were left out.
    fn reports(&self, engine: &Engine) -> Vec<HostReport> {
        let mut seen = engine.reports().into_iter().peekable();
        let mut report = |host: &JobHost| {
            let own = seen.next_if(|report| report.ip == host.ip.to_canonical());
            let mut report = own.unwrap_or_else(|| HostReport::unknown(host.ip, None));
            report.ip = host.ip;
            report.name.clone_from(&host.name);
            report
        };
        self.job.hosts.iter().map(&mut report).collect()
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

fn secrets() -> Result<Secrets, ScanError> {
    let mut keys = [[0; 16]; 2];
    for key in &mut keys {
        getrandom::fill(key).map_err(ScanError::Random)?;
    }
    Ok(Secrets {
        sweep: Key::new(keys[0]),
        verify: Key::new(keys[1]),
        order: getrandom::u64().map_err(ScanError::Random)?,
    })
}
