//! `portwatch check`: one line and an exit code, for monitoring systems.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use portwatch_domain::change::HostRecord;
use portwatch_domain::ports::PortSet;
use portwatch_domain::snapshot::HostState;
use portwatch_domain::target::{Address, Target};
use portwatch_store::Store;
use portwatch_store::watch::TargetState;

use super::targets::is_overdue;
use crate::listing::counted;
use crate::printable::printable;
use crate::state::{self, StateArguments};

/// How many findings the line names.
const NAMED: usize = 5;

/// Tell in one line whether all is as expected, as a Nagios plugin does
///
/// Prints one line. Exit code 0 if all is as expected; 1 if a port is closed that should be open, or
/// a target is overdue; 2 if a port is open that should not be, or a host is down; 3 if it cannot be
/// told: nothing scanned yet, or nobody has said what is expected.
#[derive(clap::Args)]
pub struct Arguments {
    /// A target's name [default: all targets that are switched on]
    target: Option<String>,
    #[command(flatten)]
    state: StateArguments,
}

/// As Nagios has them: what is worse comes later, except that *unknown* is less than a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    findings: Vec<(Status, String)>,
    targets: u64,
    open: u64,
}

/// Runs the command. What goes wrong is *unknown*: an exit code of 2 would say that a port is open.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let (status, text) = match look(&arguments).await {
        Ok(found) => found.told(),
        Err(error) => (Status::Unknown, format!("{error:#}")),
    };
    writeln!(
        io::stdout(),
        "PORTWATCH {} - {}",
        status.word(),
        printable(&text)
    )?;
    Ok(ExitCode::from(status.code()))
}

async fn look(arguments: &Arguments) -> Result<Found> {
    let store = arguments.state.open().await?;
    let asked = match &arguments.target {
        Some(name) => Some(state::target(&store, name).await?.id),
        None => None,
    };
    let now = Timestamp::now();
    let mut found = Found::default();
    for state in store.target_states().await? {
        let is_asked = asked.map_or(state.target.switches.enabled, |id| state.target.id == id);
        if is_asked {
            found.target(&store, &state, now).await?;
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, status: Status, text: String) {
        self.findings.push((status, text));
    }

    async fn target(&mut self, store: &Store, state: &TargetState, now: Timestamp) -> Result<()> {
        let target = &state.target;
        let name = &target.name;
        self.targets += 1;
        self.open += state.open_ports;
        if !target.switches.enabled {
            self.add(Status::Unknown, format!("{name} is switched off"));
        }
        if is_overdue(state, now) {
            self.add(Status::Warning, format!("{name} is overdue"));
        }
        if state.hosts == 0 {
            self.add(Status::Unknown, format!("{name} was not scanned yet"));
            return Ok(());
        }
        let is_fine = state.unexpected_open == 0
            && state.expected_closed == 0
            && state.hosts_up == state.hosts
            && target.expected.is_some();
        if !is_fine {
            self.hosts(target, &store.hosts(target.id).await?);
        }
        Ok(())
    }

    fn hosts(&mut self, target: &Target, hosts: &[HostRecord]) {
        let mut unjudged = 0_usize;
        for host in hosts {
            let shown = host.name.clone().unwrap_or_else(|| host.ip.to_string());
            if host.state == HostState::Down && is_missed(target, host) {
                self.add(Status::Critical, format!("{shown} is down"));
            }
            if host.suspect {
                self.add(
                    Status::Unknown,
                    format!("{shown} answers open on everything"),
                );
            }
            let (unexpected, missing) =
                (host.unexpected_open(target), host.expected_closed(target));
            if !unexpected.is_empty() {
                self.add(
                    Status::Critical,
                    format!("{shown}: unexpected open {}", short(&unexpected)),
                );
            }
            if !missing.is_empty() {
                self.add(
                    Status::Warning,
                    format!("{shown}: expected but closed {}", short(&missing)),
                );
            }
            let is_judged = target.expected.is_some() || host.approved.is_some();
            unjudged += usize::from(!is_judged && !host.open().is_empty());
        }
        if unjudged > 0 {
            let name = &target.name;
            let text =
                format!("nobody has said what may be open on {name} (portwatch approve {name})");
            self.add(Status::Unknown, text);
        }
    }

    /// The worst first.
    fn told(mut self) -> (Status, String) {
        if self.targets == 0 {
            return (Status::Unknown, "nothing is watched".to_owned());
        }
        self.findings
            .sort_by_key(|(status, _)| std::cmp::Reverse(*status));
        let Some(&(worst, _)) = self.findings.first() else {
            let targets = counted(self.targets, "target");
            let open = counted(self.open, "open port");
            return (Status::Ok, format!("all as expected: {targets}, {open}"));
        };
        let named = self
            .findings
            .iter()
            .take(NAMED)
            .map(|(_, text)| text.as_str());
        let text = named.collect::<Vec<_>>().join("; ");
        let more = match self.findings.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (worst, text + &more)
    }
}

/// A host that has answered once, or that was listed by itself; others of a block may well not be there.
fn is_missed(target: &Target, host: &HostRecord) -> bool {
    let is_listed = |address: &Address| match address {
        Address::Ip(ip) => ip.to_canonical() == host.ip,
        Address::Name(name) => host.name.as_ref() == Some(name),
        _ => false,
    };
    host.last_seen.is_some() || target.addresses.iter().any(is_listed)
}

/// The ports, as far as they fit a line.
fn short(ports: &PortSet) -> String {
    let text = ports.to_string();
    if text.len() <= 60 {
        text
    } else {
        format!("{} ports", ports.len())
    }
}
