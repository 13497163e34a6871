//! `portwatch approve`: says what should be open.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use portwatch_domain::ports::PortSet;
use portwatch_store::policy::{Approval, Approve, Approved};
use serde::Serialize;

use super::audit;
use crate::listing::{Format, Table, line};
use crate::state::{self, StateArguments};
use crate::user;

/// Approve what is open now: from then on anything else is a finding
///
/// What is open now, or the ports that --ports names, is what should be open on these hosts from now
/// on, and goes before what the settings expect. What else opens is unexpected; what is missing is
/// missing. Hosts that are found later are not approved.
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
pub struct Arguments {
    /// The target's name
    target: String,
    /// Only the host with this address [default: all known hosts of the target]
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// These ports instead of those that are open now: 22,80,443,8000-8100
    #[arg(long, value_name = "SPEC", conflicts_with = "clear")]
    ports: Option<PortSet>,
    /// Who approves [default: $SUDO_USER or $USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Take the approval back: what the settings expect counts again
    #[arg(long)]
    clear: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// One host.
#[derive(Serialize)]
struct Line {
    ip: IpAddr,
    /// As `--ports` takes them; `null` if the approval was taken back.
    approved: Option<String>,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let target = state::target(&store, &arguments.target).await?;
    if let Some(ports) = &arguments.ports {
        let unwatched = ports.difference(&target.ports);
        if !unwatched.is_empty() {
            eprintln!(
                "note: {} does not watch {unwatched}, so these will not be missed",
                target.name
            );
        }
    }
    let approval = Approval {
        target: target.id,
        ip: arguments.host.map(|ip| ip.to_canonical()),
        ports: match arguments.ports.clone() {
            _ if arguments.clear => Approve::Withdraw,
            Some(ports) => Approve::Ports(ports),
            None => Approve::OpenNow,
        },
        by: arguments.by.clone().unwrap_or_else(user::name),
        now: Timestamp::now(),
    };
    let by = approval.by.clone();
    let approved = store.approve(approval).await?;
    match arguments.host {
        _ if !approved.is_empty() => {}
        Some(ip) => bail!("{} knows no host {ip}", target.name),
        None => bail!("{} knows no host yet: wait for its first scan", target.name),
    }
    for host in &approved {
        let (about, ports) = (format!("{}/{}", target.group, target.name), &host.ports);
        let ports = ports
            .as_ref()
            .map_or("taken back".to_owned(), ToString::to_string);
        let detail = format!("{}: {ports}", host.ip);
        audit::note(&store, &by, "ports.approve", &about, &detail).await?;
    }
    print(arguments.format, &approved)?;
    Ok(ExitCode::SUCCESS)
}

fn print(format: Format, approved: &[Approved]) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut table = Table::new(&["HOST", "APPROVED TO BE OPEN"]);
    for host in approved {
        let ports = host.ports.as_ref();
        match format {
            Format::Ndjson => {
                let approved = ports.map(ToString::to_string);
                line(
                    &mut out,
                    &Line {
                        ip: host.ip,
                        approved,
                    },
                )?;
            }
            Format::Table => {
                let shown = match ports {
                    None => "taken back".to_owned(),
                    Some(ports) if ports.is_empty() => "nothing".to_owned(),
                    Some(ports) => ports.to_string(),
                };
                table.row([host.ip.to_string(), shown]);
            }
        }
    }
    if format == Format::Table {
        table.print(&mut out)?;
    }
    out.flush()?;
    Ok(())
}
