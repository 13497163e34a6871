//! One scan, on a thread of its own: TCP ports through the engine and a wire, then UDP ports.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use portwatch_domain::job::{Job, JobHost};
use portwatch_domain::ports::Protocol;
use portwatch_domain::snapshot::{HostReport, Method};
use portwatch_packet::{Addresses, Key};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Scan, ScanError, ring_bytes};
use crate::connect::Connections;
use crate::drive::{Clock as _, End, Monotonic, drive};
use crate::engine::{Engine, Moment, Pacer, Plan, PlannedHost, Progress, Secrets, Window};
use crate::exclude::Exclusions;
use crate::route::source_towards;
use crate::settings::{Retries, Settings};
use crate::sockets::Sockets;
use crate::source_ports::SourcePorts;
use crate::udp::{self, UdpHost, UdpPlan, UdpTarget};
use crate::wire::Wire;

/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// From this rate on, frames are sent by a thread of their own: about what one core sends and makes.
const SENT_BESIDE: u32 = 200_000;
/// The name of a connection is its probe's source port, which no packet carries.
const NAMES_FROM: u16 = 1;
/// How many probes may be out before anything is known, for a scan that finds out how fast it may go.
const FIRST_WINDOW: Window = Window {
    host: 1000,
    network: 4000,
};

/// One scan.
pub(super) struct Task {
    pub(super) job: Job,
    pub(super) method: Method,
    pub(super) settings: Settings,
    pub(super) pacer: Arc<Pacer>,
    pub(super) clock: Monotonic,
    pub(super) idle: Arc<Mutex<Vec<Sockets>>>,
    pub(super) runtime: Handle,
    pub(super) stop: CancellationToken,
}

/// What the phases of a scan have in common.
struct Course<'a> {
    exclusions: Exclusions,
    /// Each host once, without those to which no packet may go: there is nothing to say of them.
    hosts: Vec<&'a JobHost>,
    deadline: Moment,
    started_at: Timestamp,
    /// What earlier phases have done.
    before: Progress,
    told: Moment,
}

impl Task {
    /// Scans to the end, the deadline, or until it is told to stop.
    pub(super) fn run(&self, mut progress: impl FnMut(Progress)) -> Result<Scan, ScanError> {
        let mut course = self.course();
        let (mut seen, mut complete) = (Vec::new(), true);
        let mut rejected = Vec::new();
        let ports = |protocol| !self.job.ports.ranges(protocol).is_empty();
        if ports(Protocol::Tcp) {
            let (engine, end) = self.tcp(&mut course, &mut progress)?;
            complete = end == End::Finished;
            seen = engine.reports();
            rejected = engine.rejected();
            course.before = engine.progress();
        }
        let mut udp = HashMap::new();
        if ports(Protocol::Udp) && complete {
            let plan = self.udp_plan(&course)?;
            let (pacer, before) = (self.pacer.clone(), course.before);
            let exclusions = std::mem::take(&mut course.exclusions);
            let mut watch = |so_far: Progress| self.watch(&mut course, so_far, &mut progress);
            let scan = udp::scan(plan, pacer, &self.clock, &exclusions, &mut watch)?;
            complete = scan.complete;
            rejected.extend(scan.rejected);
            course.before = sum(before, scan.progress);
            udp = scan.hosts.into_iter().collect();
        }
        progress(course.before);
        let undecided = |(&ip, host): (&IpAddr, &UdpHost)| {
            (!host.undecided.is_empty()).then(|| (ip, host.undecided.clone()))
        };
        Ok(Scan {
            undecided: udp.iter().filter_map(undecided).collect(),
            hosts: self.reports(seen, udp),
            rejected,
            method: self.method,
            probes: course.before.sent,
            answers: course.before.answers,
            unproven: course.before.unproven,
            overflows: course.before.overflows,
            complete,
            started_at: course.started_at,
            finished_at: Timestamp::now(),
        })
    }

    fn course(&self) -> Course<'_> {
        let started_at = Timestamp::now();
        let exclusions = Exclusions::new(self.job.exclude.iter().chain(&self.settings.exclude.0));
        let left = self.job.deadline.duration_since(started_at);
        let now = self.clock.now();
        Course {
            hosts: self.hosts(&exclusions),
            exclusions,
            deadline: now + Duration::try_from(left).unwrap_or_default(),
            started_at,
            before: Progress::default(),
            told: now,
        }
    }

    fn hosts(&self, exclusions: &Exclusions) -> Vec<&JobHost> {
        let mut seen = HashSet::new();
        let may_be_scanned = |ip: IpAddr| {
            let may = !ip.is_unspecified() && !ip.is_multicast() && exclusions.permit(ip);
            if !may {
                tracing::debug!(%ip, "not scanned: excluded, or not the address of a host");
            }
            may
        };
        let hosts = self.job.hosts.iter();
        hosts
            .filter(|host| {
                let ip = host.ip.to_canonical();
                may_be_scanned(ip) && seen.insert(ip)
            })
            .collect()
    }

    /// Scans the TCP ports.
    fn tcp(
        &self,
        course: &mut Course<'_>,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(Engine, End), ScanError> {
        let ips: Vec<IpAddr> = course
            .hosts
            .iter()
            .map(|host| host.ip.to_canonical())
            .collect();
        if self.method == Method::Connect {
            let sources: Vec<_> = ips.iter().map(|&ip| source_towards(ip).ok()).collect();
            let plan = self.plan(course, &sources, NAMES_FROM)?;
            let mut wire = Connections::new(self.runtime.clone(), self.settings.connections);
            return self.drive(&mut wire, plan, course, progress);
        }
        let idle = self.lock_idle().pop();
        let mut wire = idle.map_or_else(|| Sockets::open(ring_bytes(&self.settings)), Ok)?;
        let scan = self.send_syns(&mut wire, &ips, course, progress);
        // New ones could not be opened any more, and what was wrong may pass.
        let deaf = wire.listen(None);
        self.lock_idle().push(wire);
        deaf?;
        scan
    }

    fn send_syns(
        &self,
        wire: &mut Sockets,
        ips: &[IpAddr],
        course: &mut Course<'_>,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(Engine, End), ScanError> {
        let sources = wire.aim(ips)?;
        let ports = SourcePorts::hold()?;
        wire.listen(Some(ports.range()))?;
        let plan = self.plan(course, &sources, ports.range().first)?;
        wire.send_beside(self.job.rate >= SENT_BESIDE)?;
        let scan = self.drive(wire, plan, course, progress);
        wire.send_beside(false)?;
        scan
    }

    fn lock_idle(&self) -> MutexGuard<'_, Vec<Sockets>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drive(
        &self,
        wire: &mut dyn Wire,
        plan: Plan,
        course: &mut Course<'_>,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(Engine, End), ScanError> {
        let mut engine = Engine::new(plan, self.pacer.clone(), self.clock.now());
        let exclusions = course.exclusions.clone();
        let mut watch = |so_far: Progress| self.watch(course, so_far, progress);
        let end = drive(&mut engine, wire, &self.clock, &exclusions, &mut watch)?;
        Ok((engine, end))
    }

    /// Tells the progress now and then, and whether to go on.
    fn watch(
        &self,
        course: &mut Course<'_>,
        so_far: Progress,
        progress: &mut impl FnMut(Progress),
    ) -> ControlFlow<()> {
        let now = self.clock.now();
        if now >= course.told + TELL {
            course.told = now;
            progress(sum(course.before, so_far));
        }
        if self.stop.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The plan for those hosts that there is a source address for.
    fn plan(
        &self,
        course: &Course<'_>,
        sources: &[Option<IpAddr>],
        first_source_port: u16,
    ) -> Result<Plan, ScanError> {
        let mut hosts = Vec::with_capacity(course.hosts.len());
        for (host, source) in course.hosts.iter().zip(sources) {
            let ip = host.ip.to_canonical();
            let Some(addresses) = source.and_then(|source| Addresses::new(source, ip)) else {
                tracing::debug!(%ip, "not scanned: no route to the host");
                continue;
            };
            hosts.push(PlannedHost {
                addresses,
                known_open: host.known_open.clone(),
            });
        }
        Ok(Plan {
            hosts,
            ports: self.job.ports.clone(),
            rate: self.job.rate,
            window: (self.job.rate >= super::SELF_SET_RATE).then_some(FIRST_WINDOW),
            attempts: match self.settings.retries {
                Retries::Auto => u8::MAX,
                Retries::Most(retries) => retries.saturating_add(1),
            },
            deadline: course.deadline,
            max_open_ports: self.settings.max_open_ports,
            first_source_port,
            secrets: Secrets {
                sweep: key()?,
                verify: key()?,
                order: getrandom::u64().map_err(ScanError::Random)?,
            },
        })
    }

    fn udp_plan(&self, course: &Course<'_>) -> Result<UdpPlan, ScanError> {
        let target = |host: &&JobHost| UdpTarget {
            ip: host.ip.to_canonical(),
            known_open: host.known_open.clone(),
        };
        Ok(UdpPlan {
            hosts: course.hosts.iter().map(target).collect(),
            ports: self.job.ports.clone(),
            rate: self.job.rate,
            deadline: course.deadline,
            retries: self.settings.retries,
            key: key()?,
            order: getrandom::u64().map_err(ScanError::Random)?,
        })
    }

    /// The reports in the order of the job, with names, and with those hosts that were left out.
    fn reports(&self, seen: Vec<HostReport>, mut udp: HashMap<IpAddr, UdpHost>) -> Vec<HostReport> {
        let mut seen = seen.into_iter().peekable();
        let mut report = |host: &JobHost| {
            let ip = host.ip.to_canonical();
            let own = seen.next_if(|report| report.ip == ip);
            let mut report = own.unwrap_or_else(|| HostReport::unknown(host.ip, None));
            if let Some(udp) = udp.remove(&ip) {
                udp.merge_into(&mut report);
            }
            report.ip = host.ip;
            report.name.clone_from(&host.name);
            report
        };
        self.job.hosts.iter().map(&mut report).collect()
    }
}

/// Two phases together.
fn sum(first: Progress, second: Progress) -> Progress {
    Progress {
        total: first.total + second.total,
        done: first.done + second.done,
        sent: first.sent + second.sent,
        answers: first.answers + second.answers,
        unproven: first.unproven + second.unproven,
        open: first.open + second.open,
        overflows: first.overflows + second.overflows,
    }
}

fn key() -> Result<Key, ScanError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(ScanError::Random)?;
    Ok(Key::new(bits))
}
