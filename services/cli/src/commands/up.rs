//! `portwatch up`: every service in one process, on SQLite and the in-process bus.

pub mod data_dir;
mod printer;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use jiff::SignedDuration;
use portwatch_bus::in_process;
use portwatch_domain::target::Target;
use portwatch_notifier::api::{self, ApiDeps};
use portwatch_notifier::{Channel, Routing, Silences, WebhookSettings, channels};
use portwatch_runtime::health::{self, Readiness};
use portwatch_runtime::settings::{List, Secret};
use portwatch_runtime::{shutdown, telemetry};
use portwatch_scanner::Scanner;
use portwatch_scanner::privilege::Keep;
use portwatch_scheduler::{RoxyWi, Source, TargetSettings};
use portwatch_store::{Store, sqlite};
use tokio_util::sync::CancellationToken;

use crate::sandbox;
use crate::settings::{ConfigArgument, Settings};
use crate::sources::sources;
use crate::state::DATA_FILE;
use printer::Printer;

/// How long a scan may go on after Ctrl-C: what it had not told is scanned again at the next start.
const GRACE: SignedDuration = SignedDuration::from_secs(1);

/// What is logged if the settings do not say: the changes themselves are printed, not logged.
const LOG: &str = "warn";

/// The webhook's secret in the environment, for those who have no settings file.
const SECRET_VARIABLE: &str = "PORTWATCH_WEBHOOK_SECRET";

/// Watch targets in one process, with nothing else to install
///
/// Watches targets until Ctrl-C, and prints each change as it happens. Needs no broker and no
/// database server: state is kept in one file.
///
/// The first scan is the baseline, and what it finds is not announced. Watch only what is yours.
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
pub struct Arguments {
    /// An address, CIDR block (192.0.2.0/24), range (192.0.2.1-192.0.2.9) or host name; more come
    /// from the settings file
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Ports to watch: 22,80,443,8000-8100 · all · top100 · top1000
    #[arg(long, value_name = "SPEC", default_value = "top1000")]
    ports: String,
    /// Time from one scan to the next: 30s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_interval)]
    interval: SignedDuration,
    /// The most probes per second for each target
    #[arg(long, value_name = "PPS", default_value_t = 1000)]
    rate: u32,
    /// Addresses never to scan, with commas; may be given again
    #[arg(long, value_name = "ADDR")]
    exclude: Vec<String>,
    /// Post each change here, signed by Standard Webhooks. The secret is PORTWATCH_WEBHOOK_SECRET
    /// (whsec_…), or is made once, kept in the data directory and printed
    #[arg(long, value_name = "URL", value_parser = channels::webhook_url)]
    webhook: Option<String>,
    /// Where state is kept [default: ~/.local/share/portwatch]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where /healthz, /readyz and /metrics are answered [default: 127.0.0.1:8911]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    config: ConfigArgument,
}

/// Everything that is ready to run.
pub struct Ready {
    arguments: Arguments,
    settings: Settings,
    /// The targets of the command line, then those of the settings.
    targets: [Vec<Target>; 2],
    /// Where more targets come from.
    roxy_wi: Option<Arc<RoxyWi>>,
    directory: PathBuf,
    /// The scanner's sockets, open, with no privilege left.
    scanner: Scanner,
}

/// Reads the settings, makes the data directory, and opens the scanner's sockets.
pub fn prepare(mut arguments: Arguments) -> Result<Ready> {
    let mut settings = arguments.config.load()?;
    let filter = settings.runtime.log.as_deref().unwrap_or(LOG);
    telemetry::start_logs(filter, settings.runtime.log_format)?;
    settings.scanner.permit_rate(arguments.rate);
    settings.scanner.grace = settings.scanner.grace.min(GRACE);
    let given =
        Source::CommandLine.targets(&settings.scheduler.groups, &arguments.target_settings())?;
    let listed =
        Source::Settings.targets(&settings.scheduler.groups, &settings.scheduler.targets)?;
    let roxy_wi = RoxyWi::configured(&settings.scheduler)?.map(Arc::new);
    if given.is_empty() && listed.is_empty() && roxy_wi.is_none() {
        bail!(
            "nothing to watch: name a target (portwatch up 127.0.0.1), or list some in a settings file"
        );
    }
    let directory = data_dir::open(arguments.data_dir.take())?;
    let keep = if data_dir::is_of_others(&directory)? {
        Keep::FileAccess
    } else {
        Keep::Nothing
    };
    let scanner = sandbox::open(&settings.scanner, keep)?;
    Ok(Ready {
        arguments,
        settings,
        targets: [given, listed],
        roxy_wi,
        directory,
        scanner,
    })
}

/// Runs the command.
pub async fn run(ready: Ready) -> Result<ExitCode> {
    let Ready {
        arguments,
        mut settings,
        targets: [given, listed],
        roxy_wi,
        directory,
        scanner,
    } = ready;
    let metrics = telemetry::start_metrics()?;
    let printer = Arc::new(Printer::new());
    if let Some(url) = arguments.webhook {
        let secret = webhook_secret(&settings, &directory, &printer)?;
        settings.notifier.webhook = Some(WebhookSettings {
            url,
            secret,
            typed: true,
            ..settings.notifier.webhook.unwrap_or_default()
        });
    }
    let channels = channels(&settings, &printer)?;
    let routing = Routing::read(&settings.notifier, &channels)?;
    let told = (Arc::new(channels), Arc::new(routing));
    let shutdown = shutdown::on_signal().context("listening for signals")?;
    let store = sqlite::open(&directory.join(DATA_FILE))?;
    let bus = in_process::new(settings.broker.snapshot_shards);

    let end = CancellationToken::new();
    let address = arguments.listen.unwrap_or(settings.runtime.listen);
    let served = served(&store, &told, roxy_wi.as_ref(), &settings)?;
    let readiness = readiness(&store, roxy_wi.as_ref());
    let address = health::serve(address, readiness, metrics, Some(served), end.clone()).await?;
    for (source, targets) in [(Source::CommandLine, &given), (Source::Settings, &listed)] {
        portwatch_scheduler::sync(&store, source, targets).await?;
    }
    let watched: Vec<&Target> = given.iter().chain(&listed).collect();
    printer.welcome(&watched, &directory, address, scanner.method());
    printer.console(address, store.users().await?.is_empty());

    let shards = settings.broker.snapshot_shards;
    let scanner = portwatch_scanner::Deps::new(bus.clone(), shards, scanner);
    let scheduler = portwatch_scheduler::Deps {
        store,
        bus,
        roxy_wi,
    };
    serve(&settings, scheduler, scanner, told, &printer, &shutdown).await?;
    end.cancel();
    printer.line("stopped; what changes until the next start is told then");
    Ok(ExitCode::SUCCESS)
}

fn parse_interval(text: &str) -> Result<SignedDuration, &'static str> {
    text.parse().map_err(|_| "write it as 30s, 5m or 1h")
}

impl Arguments {
    /// Each TARGET is a target of its own.
    fn target_settings(&self) -> Vec<TargetSettings> {
        let exclude = self.exclude.iter().flat_map(|list| list.split(','));
        let exclude: Vec<String> = exclude.map(|item| item.trim().to_owned()).collect();
        let one = |address: &String| TargetSettings {
            addresses: List(vec![address.clone()]),
            exclude: List(exclude.clone()),
            ports: Some(self.ports.clone()),
            interval: Some(self.interval),
            rate: Some(self.rate),
            ..TargetSettings::default()
        };
        self.targets.iter().map(one).collect()
    }
}

/// The secret of `--webhook`: from the environment, the settings, or the data directory.
fn webhook_secret(settings: &Settings, directory: &Path, printer: &Printer) -> Result<Secret> {
    if let Ok(secret) = std::env::var(SECRET_VARIABLE) {
        return Ok(secret.into());
    }
    if let Some(webhook) = settings
        .notifier
        .webhook
        .as_ref()
        .filter(|w| !w.secret.reveal().is_empty())
    {
        return Ok(webhook.secret.clone());
    }
    let (secret, new) = data_dir::webhook_secret(directory)?;
    if new {
        let kept = directory.display();
        printer.line(&format!(
            "webhook secret, made now and kept in {kept}: {secret}"
        ));
    }
    Ok(secret.into())
}

fn channels(settings: &Settings, printer: &Arc<Printer>) -> Result<Vec<Channel>> {
    let mut channels = channels::configured(&settings.notifier)?;
    let printer = Arc::clone(printer);
    channels.push(channels::terminal::channel(move |line| {
        printer.try_line(line)
    }));
    Ok(channels)
}

/// What is answered beside the health: the console, and the notifier's calls if it has a token.
fn served(
    store: &Store,
    (channels, routing): &(Arc<Vec<Channel>>, Arc<Routing>),
    roxy_wi: Option<&Arc<RoxyWi>>,
    settings: &Settings,
) -> Result<Router> {
    let asked = ApiDeps {
        store: store.clone(),
        channels: channels.clone(),
        routing: routing.clone(),
    };
    let api = api::router(asked, &settings.notifier.api_token)?;
    let console = portwatch_console::Deps {
        sources: sources(store, roxy_wi),
        store: store.clone(),
    };
    let console = portwatch_console::router(console, settings.console)?;
    Ok(console.merge(api.unwrap_or_default()))
}

fn readiness(store: &Store, roxy_wi: Option<&Arc<RoxyWi>>) -> Readiness {
    let store = store.clone();
    let readiness = Readiness::default().with("database", move || {
        let store = store.clone();
        async move { store.check().await }
    });
    match roxy_wi.cloned() {
        Some(roxy_wi) => readiness.with_note("roxy-wi", move || roxy_wi.note()),
        None => readiness,
    }
}

async fn serve(
    settings: &Settings,
    scheduler: portwatch_scheduler::Deps,
    scanner: portwatch_scanner::Deps,
    (channels, routing): (Arc<Vec<Channel>>, Arc<Routing>),
    printer: &Arc<Printer>,
    shutdown: &CancellationToken,
) -> Result<()> {
    let snapshot_shards = settings.broker.snapshot_shards;
    let (store, bus) = (scheduler.store.clone(), scheduler.bus.clone());
    let seen = Arc::clone(printer);
    let differ = portwatch_differ::Deps {
        store: store.clone(),
        bus: bus.clone(),
        snapshot_shards,
        observer: Some(Arc::new(move |part| seen.seen(&part))),
    };
    let notifier = portwatch_notifier::Deps {
        store: store.clone(),
        bus: bus.clone(),
        routing,
        channels,
        silences: Silences::default(),
    };
    let progress = printer.follow(scanner.progress.subscribe());
    // If one service fails, the others stop in order.
    let stopping = |result: Result<()>| {
        shutdown.cancel();
        result
    };
    let scan = async {
        let ended = portwatch_scanner::run(scanner, &settings.scanner, shutdown.clone()).await;
        stopping(ended.map_err(Into::into))
    };
    let diff = async {
        let ended = portwatch_differ::run(differ, &settings.differ, shutdown.clone()).await;
        stopping(ended.map_err(Into::into))
    };
    let notify = async {
        let ended = portwatch_notifier::run(notifier, &settings.notifier, shutdown.clone()).await;
        stopping(ended.map_err(Into::into))
    };
    let consume = async {
        let (first, second, third) = tokio::join!(scan, diff, notify);
        // Nobody takes messages any more: what waits for it need not wait on.
        bus.close().await;
        first.and(second).and(third)
    };
    let follow = async {
        tokio::select! {
            () = progress => {}
            () = shutdown.cancelled() => {}
        }
    };
    let schedule = portwatch_scheduler::run(scheduler, &settings.scheduler, shutdown.clone());
    let (ended, (), ()) = tokio::join!(consume, schedule, follow);
    ended
}
