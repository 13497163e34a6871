//! What `portwatch up` prints.

use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use portwatch_differ::{HostSeen, Seen};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, PortSet, service_name};
use portwatch_domain::snapshot::{HostState, Method};
use portwatch_domain::target::Target;
use portwatch_scanner::{JobProgress, Progress};
use tokio::sync::broadcast;

/// Targets and ports that are listed one by one; beyond that they are counted.
const LISTED: usize = 20;

/// How the bar looks while scans are out.
const SCANNING: &str = "{msg} {wide_bar} {percent}% {eta}";
/// And while none is: of nothing there is no share and no time left.
const BETWEEN_SCANS: &str = "{msg}";

/// Writes whole lines to standard output, and on a terminal a progress bar below them.
pub struct Printer {
    bar: ProgressBar,
    suspects: Mutex<HashSet<std::net::IpAddr>>,
}

impl Printer {
    /// A printer; without a terminal there is no bar.
    pub fn new() -> Self {
        let target = if io::stdout().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let printer = Self {
            bar,
            suspects: Mutex::default(),
        };
        printer.look(BETWEEN_SCANS);
        printer
    }

    fn look(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    /// Writes a line.
    pub fn try_line(&self, line: &str) -> io::Result<()> {
        self.bar.suspend(|| {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()
        })
    }

    /// Writes a line that nobody will miss if it cannot be written.
    pub fn line(&self, line: &str) {
        if let Err(error) = self.try_line(line) {
            tracing::warn!(%error, "writing to the terminal");
        }
    }

    /// What is watched, where state is kept, and how it is scanned.
    pub fn welcome(&self, targets: &[&Target], data: &Path, address: SocketAddr, method: Method) {
        self.line(&format!("Portwatch {} watches", env!("CARGO_PKG_VERSION")));
        for target in targets.iter().take(LISTED) {
            let ports = target.ports.len();
            let every = &target.schedule;
            let switched_off = if target.switches.enabled {
                ""
            } else {
                " (switched off)"
            };
            self.line(&format!(
                "  {}: {}, {every}{switched_off}",
                target.name,
                count(ports, "port")
            ));
            if let Some(takes) = longer_than_interval(target) {
                let rate = target.rate;
                self.line(&format!("    a scan takes about {takes:#} at {rate} probes per second, longer than the interval: raise --rate or --interval, or watch fewer ports"));
            }
        }
        if targets.len() > LISTED {
            self.line(&format!("  and {} more", targets.len() - LISTED));
        }
        self.line(match method {
            Method::Syn => "scanning with SYN packets",
            Method::Connect => {
                "scanning by connecting, because raw sockets are not permitted here: slower, and listeners see it (portwatch doctor says how to change that)"
            }
        });
        self.line(&format!(
            "state: {} · health and metrics: http://{address}",
            data.display()
        ));
    }

    /// Where the console is, and how to get in.
    pub fn console(&self, address: SocketAddr, has_no_user: bool) {
        let first = if has_no_user {
            " (nobody can log in yet: portwatch user add NAME makes a user, with --data-dir as here)"
        } else {
            ""
        };
        self.line(&format!("console: http://{address}{first}"));
        self.line(
            "Ctrl-C stops it. The first scan is the baseline: what is open then is not announced.",
        );
    }

    /// One part of a snapshot was applied.
    pub fn seen(&self, seen: &Seen) {
        let at = time(seen.finished_at);
        for host in &seen.hosts {
            self.suspect(&at, host);
            if host.baseline {
                let name = name(host);
                self.line(&format!(
                    "{at}  {name}: baseline: {}",
                    open_ports(&host.open)
                ));
            }
        }
        let up = seen
            .hosts
            .iter()
            .filter(|host| host.state == HostState::Up)
            .count();
        let open: usize = seen.hosts.iter().map(|host| host.open.len()).sum();
        let covered: usize = seen.hosts.iter().map(|host| host.covered).sum();
        let took = seen.took.as_secs_f64();
        self.line(&format!(
            "{at}  scan of {}: {up} of {} up, {open} open, {} judged, {took:.1} s",
            seen.target,
            count(seen.hosts.len(), "host"),
            count(covered, "port"),
        ));
    }

    /// A host that is suspect is said to be so once in a process, even if nothing changed.
    fn suspect(&self, at: &str, host: &HostSeen) {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if host.suspect && suspects.insert(host.ip) {
            let name = name(host);
            self.line(&format!("{at}  {name}: answers open on everything (SYN proxy or tarpit): its ports are not judged"));
        } else if !host.suspect && host.state == HostState::Up {
            suspects.remove(&host.ip);
        }
    }

    /// Moves the bar as scans go on; it shows all that are out.
    pub async fn follow(&self, mut progress: broadcast::Receiver<JobProgress>) {
        let mut out: HashMap<JobId, Progress> = HashMap::new();
        loop {
            match progress.recv().await {
                Ok(job) if job.progress.done < job.progress.total => {
                    out.insert(job.job, job.progress);
                }
                Ok(job) => {
                    out.remove(&job.job);
                }
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            }
            let open: u32 = out.values().map(|progress| progress.open).sum();
            if out.is_empty() {
                self.look(BETWEEN_SCANS);
                self.bar.set_message("waiting for the next scan");
                continue;
            }
            self.look(SCANNING);
            self.bar.set_length(out.values().map(|p| p.total).sum());
            self.bar.set_position(out.values().map(|p| p.done).sum());
            self.bar.set_message(match out.len() {
                1 => format!("scanning, {open} open"),
                scans => format!("{scans} scans, {open} open"),
            });
        }
    }
}

/// About how long one scan takes at the target's rate, if that is longer than its interval.
fn longer_than_interval(target: &Target) -> Option<SignedDuration> {
    let hosts: u128 = target
        .addresses
        .iter()
        .map(|address| address.range().map_or(1, |range| range.len()))
        .sum();
    let probes = hosts.saturating_mul(target.ports.len() as u128);
    let seconds = i64::try_from(probes / u128::from(target.rate.max(1))).unwrap_or(i64::MAX);
    let takes = SignedDuration::from_secs(seconds);
    (takes > target.schedule.period(Timestamp::now())).then_some(takes)
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn name(host: &HostSeen) -> String {
    host.name.as_ref().map_or_else(
        || host.ip.to_string(),
        |name| format!("{name} ({})", host.ip),
    )
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn open_ports(open: &PortSet) -> String {
    let describe = |port: Port| {
        let service = service_name(port)
            .map(|name| format!(" ({name})"))
            .unwrap_or_default();
        format!("{}/{}{service}", port.number, port.protocol)
    };
    let listed: Vec<String> = open.iter().take(LISTED).map(describe).collect();
    match open.len() {
        0 => "no port is open".to_owned(),
        many if many > LISTED => format!("{many} ports are open: {} …", listed.join(", ")),
        1 => format!("1 port is open: {}", listed.join(", ")),
        some => format!("{some} ports are open: {}", listed.join(", ")),
    }
}
