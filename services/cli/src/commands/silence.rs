//! `portwatch silence`: what nobody is told for a while.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use portwatch_notifier::routing::MatchSettings;
use portwatch_runtime::settings::List;
use portwatch_store::Store;
use portwatch_store::silences::Silence;
use serde::Serialize;
use uuid::Uuid;

use super::audit;
use crate::listing::{Format, Table, line, time};
use crate::state::{self, StateArguments};
use crate::user;

/// Tell nobody of some changes for a while
///
/// Scans go on, and history keeps everything. A silence says what it is about, until when, and why;
/// it holds within seconds, also for what waits to be told. What happens meanwhile is not told later.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Add(Box<Add>),
    List(ListArguments),
    End(End),
}

/// Make a silence
///
/// Of each kind of thing that is given, any one will do; all kinds must fit. Texts may have * for
/// any characters.
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
struct Add {
    /// Until when: 30m, 2h, 7d from now, or a time such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Until,
    /// Why, for whoever wonders at night
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// From when on [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Who says so [default: $SUDO_USER or $USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    state: StateArguments,
}

/// What a change must be like.
#[derive(clap::Args)]
struct About {
    /// Targets, by name
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Groups of targets
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// Targets with a tag
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Zones
    #[arg(long, value_name = "NAME")]
    zone: Vec<String>,
    /// Hosts: names, addresses, ranges, CIDR blocks
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Kinds of change: port.opened, host.*
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Ports: 22,80,8000-8100
    #[arg(long, value_name = "SPEC")]
    ports: Option<String>,
}

/// List the silences that hold or will
#[derive(clap::Args)]
struct ListArguments {
    /// Also those that have ended, as long as they are kept
    #[arg(long)]
    ended: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// End a silence now
#[derive(clap::Args)]
struct End {
    /// Its id, or as much of the beginning as no other has
    id: String,
    #[command(flatten)]
    state: StateArguments,
}

/// A time, or how long it is until then.
#[derive(Clone, Copy)]
enum Until {
    At(Timestamp),
    In(SignedDuration),
}

fn until(text: &str) -> Result<Until, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok());
    let days = days
        .and_then(|days| days.checked_mul(24))
        .map(SignedDuration::from_hours);
    let span = days.or_else(|| text.parse().ok());
    match (span, text.parse()) {
        (Some(span), _) if span > SignedDuration::ZERO => Ok(Until::In(span)),
        (None, Ok(at)) => Ok(Until::At(at)),
        _ => Err("write it as 30m, 2h, 7d, or as 2026-12-24T18:00:00Z".to_owned()),
    }
}

/// One silence.
#[derive(Serialize)]
struct Line<'a> {
    id: Uuid,
    from: Timestamp,
    until: Timestamp,
    by: &'a str,
    reason: &'a str,
    r#match: serde_json::Value,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Add(arguments) => add(*arguments).await,
        Command::List(arguments) => list(arguments).await,
        Command::End(arguments) => end_one(arguments).await,
    }
}

impl About {
    fn settings(&self) -> MatchSettings {
        let list = |items: &Vec<String>| List(items.clone());
        MatchSettings {
            groups: list(&self.group),
            targets: list(&self.target),
            tags: list(&self.tag),
            zones: list(&self.zone),
            hosts: list(&self.host),
            kinds: list(&self.kind),
            ports: self.ports.clone(),
            expected: None,
            severity: None,
        }
    }
}

async fn add(arguments: Add) -> Result<ExitCode> {
    let about = arguments.about.settings();
    if about == MatchSettings::default() && !arguments.all {
        bail!("say what it is about (--target, --host, --ports, …), or --all for everything");
    }
    if about != MatchSettings::default() && arguments.all {
        bail!("--all is everything: leave it out, or what else is said");
    }
    about
        .matcher()
        .map_err(|error| anyhow::anyhow!("--{error}"))?;
    let now = Timestamp::now();
    let from = arguments.from.unwrap_or(now);
    let until = match arguments.until {
        Until::At(at) => at,
        Until::In(span) => from.checked_add(span).context("--until")?,
    };
    if until <= from.max(now) {
        bail!("--until: {until} is over before it begins");
    }
    if arguments.reason.trim().is_empty() {
        bail!("--reason: somebody will wonder why: say it");
    }
    let silence = Silence {
        id: Uuid::new_v4(),
        matcher: serde_json::to_string(&about)?,
        reason: arguments.reason,
        author: arguments.by.unwrap_or_else(user::name),
        from,
        until,
    };
    let store = arguments.state.open().await?;
    let (id, until) = (silence.id, time(silence.until));
    let (by, why) = (silence.author.clone(), silence.reason.clone());
    store.add_silence(silence).await?;
    let detail = format!("until {until}: {why}");
    audit::note(&store, &by, "silence.add", &id.to_string(), &detail).await?;
    writeln!(io::stdout(), "silence {id} until {until}")?;
    Ok(ExitCode::SUCCESS)
}

async fn list(arguments: ListArguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let silences = store.silences(Timestamp::now(), arguments.ended).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut table = Table::new(&["ID", "FROM", "UNTIL", "BY", "REASON", "ABOUT"]);
    for silence in &silences {
        if arguments.format == Format::Ndjson {
            line(
                &mut out,
                &Line {
                    id: silence.id,
                    from: silence.from,
                    until: silence.until,
                    by: &silence.author,
                    reason: &silence.reason,
                    r#match: serde_json::from_str(&silence.matcher)?,
                },
            )?;
            continue;
        }
        let about = match silence.matcher.as_str() {
            "{}" => "everything".to_owned(),
            matcher => matcher.to_owned(),
        };
        table.row([
            silence.id.to_string(),
            time(silence.from),
            time(silence.until),
            silence.author.clone(),
            silence.reason.clone(),
            about,
        ]);
    }
    match arguments.format {
        Format::Table if silences.is_empty() => writeln!(out, "no silences")?,
        Format::Table => table.print(&mut out)?,
        Format::Ndjson => {}
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn end_one(arguments: End) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let id = find(&store, &arguments.id).await?;
    if !store.end_silence(id, Timestamp::now()).await? {
        bail!("silence {id} has ended already");
    }
    audit::note(&store, &user::name(), "silence.end", &id.to_string(), "").await?;
    writeln!(io::stdout(), "silence {id} has ended")?;
    Ok(ExitCode::SUCCESS)
}

/// The silence whose id begins so.
async fn find(store: &Store, beginning: &str) -> Result<Uuid> {
    let silences = store.silences(Timestamp::now(), false).await?;
    let ids = silences.iter().map(|silence| silence.id);
    state::one_that_begins(beginning, ids, "silence", "portwatch silence list")
}
