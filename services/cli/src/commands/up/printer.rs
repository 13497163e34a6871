//! What `portwatch up` prints.

use std::collections::HashSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use portwatch_differ::{HostSeen, Seen};
use portwatch_domain::ports::{Port, PortSet, service_name};
use portwatch_domain::snapshot::{HostState, Method};
use portwatch_domain::target::Target;
use portwatch_scanner::JobProgress;
use tokio::sync::broadcast;

/// Targets and ports that are listed one by one; beyond that they are counted.
const LISTED: usize = 20;

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
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}") {
            bar.set_style(style);
        }
        Self {
            bar,
            suspects: Mutex::default(),
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
            let every = target.interval;
            let switched_off = if target.switches.enabled {
                ""
            } else {
                " (switched off)"
            };
            self.line(&format!(
                "  {}: {}, every {every:#}{switched_off}",
                target.name,
                count(ports, "port")
            ));
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

    /// Moves the bar as scans go on.
    pub async fn follow(&self, mut progress: broadcast::Receiver<JobProgress>) {
        loop {
            match progress.recv().await {
                Ok(job) => {
                    self.bar.set_length(job.progress.total);
                    self.bar.set_position(job.progress.done);
                    self.bar
                        .set_message(format!("scanning, {} open", job.progress.open));
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }
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
