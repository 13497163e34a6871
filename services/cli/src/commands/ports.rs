//! `portwatch ports`: which ports are open now.

pub mod view;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Result, bail};
use portwatch_domain::change::HostRecord;
use portwatch_domain::target::Target;
use portwatch_store::Store;

use crate::listing::Format;
use crate::state::{self, StateArguments};
use view::{Judged, PortView, views};

/// Show which ports are open now
///
/// Shows the ports that are open, that should be and are not, and those of which the last scans have
/// seen something else than before: that is not confirmed yet, and not told.
///
/// EXPECTED says yes, unexpected (open, and should not be), missing (should be open), or - where nobody
/// has said what should be open: see portwatch approve.
#[derive(clap::Args)]
pub struct Arguments {
    /// A target's name [default: all targets]
    target: Option<String>,
    /// Only the host with this address
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// Only ports that are open and should not be
    #[arg(long)]
    unexpected: bool,
    /// Only ports that should be open and are not
    #[arg(long)]
    missing: bool,
    /// Closed ports that have been open as well
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let mut known = Vec::new();
    for target in targets(&arguments, &store).await? {
        let mut hosts = store.hosts(target.id).await?;
        hosts.retain(|host| arguments.host.is_none_or(|ip| host.ip == ip.to_canonical()));
        known.push((target, hosts));
    }
    if let Some(ip) = arguments.host
        && known.iter().all(|(_, hosts)| hosts.is_empty())
    {
        bail!("nothing is known of {ip}: it is not watched, or not scanned yet");
    }
    let shown = |view: &PortView<'_>| arguments.shows(view);
    let views: Vec<PortView<'_>> = known
        .iter()
        .flat_map(|(target, hosts)| views(target, hosts))
        .filter(shown)
        .collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if views.is_empty() && arguments.format == Format::Table {
        writeln!(out, "{}", arguments.nothing(&known))?;
    } else {
        view::print(&mut out, arguments.format, &views)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The targets to look into: those with findings, if only findings are asked for.
async fn targets(arguments: &Arguments, store: &Store) -> Result<Vec<Target>> {
    if let Some(name) = &arguments.target {
        return Ok(vec![state::target(store, name).await?]);
    }
    let states = store.target_states().await?;
    let wanted = states.into_iter().filter(|state| {
        let has_findings = state.unexpected_open + state.expected_closed > 0;
        has_findings || !(arguments.unexpected || arguments.missing)
    });
    Ok(wanted.map(|state| state.target).collect())
}

impl Arguments {
    fn shows(&self, view: &PortView<'_>) -> bool {
        if self.unexpected || self.missing {
            return (self.unexpected && view.judged() == Judged::Unexpected)
                || (self.missing && view.judged() == Judged::Missing);
        }
        self.all || view.is_of_interest()
    }

    /// Why there is nothing to show.
    fn nothing(&self, known: &[(Target, Vec<HostRecord>)]) -> &'static str {
        let mut hosts = known.iter().flat_map(|(_, hosts)| hosts);
        if self.unexpected || self.missing {
            "nothing: all that has been approved or is expected is as it should be"
        } else if hosts.next().is_none() {
            "no host is known yet: wait for the first scan (portwatch targets shows when)"
        } else {
            "no open ports"
        }
    }
}
