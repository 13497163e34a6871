//! `portwatch scan-now`: a scan outside the schedule.

mod progress;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::{Address, Target};
use portwatch_store::Store;
use portwatch_store::history::HistoryFilter;
use portwatch_store::requests::{NewRequest, RequestKind, RequestState};
use uuid::Uuid;

use super::ports::view::{self, PortView};
use super::{audit, history};
use crate::listing::Format;
use crate::state::{self, StateArguments};
use crate::user;
use progress::Shown;

/// Exit code of a scan that did not end in time.
const EXPIRED: u8 = 1;

/// How often the store is asked.
const PAUSE: Duration = Duration::from_millis(300);

/// A scheduler takes a request within a second, if there is one.
const TAKEN_WITHIN: Duration = Duration::from_mins(1);

/// How many changes of the scan are looked for.
const CHANGES: u32 = 1_000;

/// Scan a target now, and not when it is due
///
/// Asks the scheduler, or the portwatch up that runs, for a scan with priority. What it finds counts like
/// that of any other scan; what it finds changed is looked at again before it is told.
///
/// With --wait, exit code 0 when it is done, 1 if it was not done in time, 2 if something was wrong.
#[derive(clap::Args)]
pub struct Arguments {
    /// The target's name
    target: String,
    /// Only the host with this address
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// Only these of the target's ports: 22,80,443,8000-8100
    #[arg(long, value_name = "SPEC")]
    ports: Option<PortSet>,
    /// Show how far it is, wait until it is done, and print what is open and what changed
    #[arg(long)]
    wait: bool,
    /// How to print what is open
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let target = state::target(&store, &arguments.target).await?;
    let request = arguments.request(&store, &target).await?;
    let id = request.id;
    store.add_requests(vec![request]).await?;
    let about = format!("{}/{}", target.group, target.name);
    audit::note(&store, &user::name(), "scan.now", &about, "").await?;
    if !arguments.wait {
        writeln!(io::stdout(), "asked for a scan of {}", target.name)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(ended) = wait(&store, id).await? else {
        eprintln!(
            "portwatch: nobody took the request in {} s: does a scheduler run, or portwatch up? It is scanned when one does",
            TAKEN_WITHIN.as_secs()
        );
        return Ok(ExitCode::from(EXPIRED));
    };
    arguments.print(&store, &target, &ended).await?;
    if ended.expired > 0 {
        let (expired, jobs) = (ended.expired, ended.jobs);
        eprintln!(
            "portwatch: {expired} of {jobs} jobs were not done in time: does a scanner of the zone {} run?",
            target.zone
        );
        return Ok(ExitCode::from(EXPIRED));
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until nothing more will come; `None` if nobody has taken the request.
async fn wait(store: &Store, id: Uuid) -> Result<Option<RequestState>> {
    let started = Instant::now();
    let mut shown = Shown::new();
    loop {
        let state = store
            .request(id, Timestamp::now())
            .await?
            .context("the request is gone: its target is no longer watched")?;
        shown.update(&state);
        if state.is_over() {
            shown.clear();
            return Ok(Some(state));
        }
        if state.run.is_none() && started.elapsed() > TAKEN_WITHIN {
            shown.clear();
            return Ok(None);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Arguments {
    async fn request(&self, store: &Store, target: &Target) -> Result<NewRequest> {
        let name = &target.name;
        if !target.switches.enabled {
            bail!("{name} is switched off: enable it in the settings first");
        }
        if let Some(ports) = &self.ports {
            let unwatched = ports.difference(&target.ports);
            if !unwatched.is_empty() {
                bail!(
                    "{name} does not watch {unwatched} (portwatch scan looks at ports that are not watched)"
                );
            }
        }
        let host = self.host.map(|ip| ip.to_canonical());
        if let Some(ip) = host {
            if target.is_excluded(ip) {
                bail!("{ip} is excluded from {name}: it is never scanned");
            }
            let is_listed = target
                .addresses
                .iter()
                .filter_map(Address::range)
                .any(|range| range.contains(ip));
            if !is_listed
                && !store
                    .hosts(target.id)
                    .await?
                    .iter()
                    .any(|host| host.ip == ip)
            {
                bail!("{ip} is no host of {name}");
            }
        }
        let now = Timestamp::now();
        Ok(NewRequest {
            id: Uuid::new_v4(),
            target: target.id,
            kind: RequestKind::Now,
            hosts: host.map(|ip| vec![ip]),
            ports: self.ports.clone(),
            asked_at: now,
            due_at: now,
        })
    }

    /// What is open now on what was scanned, and what this scan found changed.
    async fn print(&self, store: &Store, target: &Target, ended: &RequestState) -> Result<()> {
        let mut hosts = store.hosts(target.id).await?;
        hosts.retain(|host| self.host.is_none_or(|ip| host.ip == ip.to_canonical()));
        let views = view::views(target, &hosts).into_iter();
        let views: Vec<PortView<'_>> = views
            .filter(|view| view.is_of_interest() && view.is_within(self.ports.as_ref()))
            .collect();
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.format == Format::Ndjson {
            view::print(&mut out, self.format, &views)?;
            out.flush()?;
            return Ok(());
        }
        if views.is_empty() {
            writeln!(out, "no open ports")?;
        } else {
            view::print(&mut out, self.format, &views)?;
        }
        let rows = store.history(HistoryFilter::of(target.id, CHANGES)).await?;
        let names = history::names(store).await?;
        let mut changed = rows
            .iter()
            .rev()
            .filter(|row| row.run == ended.run)
            .peekable();
        writeln!(out)?;
        if changed.peek().is_none() {
            writeln!(out, "this scan found no change")?;
        }
        for row in changed {
            writeln!(out, "{}", history::text_line(row, &names))?;
        }
        out.flush()?;
        Ok(())
    }
}
