//! `portwatch scheduler|scanner|differ|notifier|console`: one service alone, over RabbitMQ and PostgreSQL.

mod console;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use portwatch_bus::Bus;
use portwatch_notifier::api::{self, ApiDeps};
use portwatch_notifier::{Channel, Routing, channels};
use portwatch_runtime::health::{self, Readiness};
use portwatch_runtime::{shutdown, telemetry};
use portwatch_scanner::Scanner;
use portwatch_scanner::privilege::Keep;
use portwatch_scheduler::RoxyWi;
use portwatch_store::{Store, retry_while_unavailable};
use tokio_util::sync::CancellationToken;

use crate::sandbox;
use crate::settings::{ConfigArgument, Settings};

/// What is logged if the settings do not say. What the drivers log is in our own lines already.
const LOG: &str = "info,lapin=off,deadpool_postgres=off,tokio_postgres=warn,refinery_core=warn";

// No doc comment: clap would print it in the place of what each role is for.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Where /healthz, /readyz and /metrics are answered [default: 127.0.0.1:8911]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Scheduler,
    Scanner,
    Differ,
    Notifier,
    Console,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Scanner => "scanner",
            Self::Differ => "differ",
            Self::Notifier => "notifier",
            Self::Console => "console",
        }
    }
}

/// A role that is ready to run.
pub struct Ready {
    role: Role,
    settings: Settings,
    listen: SocketAddr,
    /// The scanner's sockets, open, with no privilege left; `None` for the other roles.
    scanner: Option<Scanner>,
    /// Whom the notifier tells, and of what; `None` for the other roles.
    told: Option<Told>,
    /// Where the scheduler takes more targets from, and the console sets their switches; `None` for the other roles.
    roxy_wi: Option<Arc<RoxyWi>>,
}

/// Whom the notifier tells, and of what.
type Told = (Arc<Vec<Channel>>, Arc<Routing>);

/// Reads the settings and starts logging; opens the scanner's sockets, tries the notifier's templates.
pub fn prepare(role: Role, arguments: &Arguments) -> Result<Ready> {
    let settings = arguments.config.load()?;
    let filter = settings.runtime.log.as_deref().unwrap_or(LOG);
    telemetry::start_logs(filter, settings.runtime.log_format)?;
    let scanner = match role {
        Role::Scanner => Some(sandbox::open(&settings.scanner, Keep::Nothing)?),
        Role::Scheduler | Role::Differ | Role::Notifier | Role::Console => None,
    };
    let told = match role {
        Role::Notifier => {
            let channels = channels::configured(&settings.notifier)?;
            let routing = Routing::read(&settings.notifier, &channels)?;
            Some((Arc::new(channels), Arc::new(routing)))
        }
        Role::Scanner | Role::Scheduler | Role::Differ | Role::Console => None,
    };
    let roxy_wi = match role {
        Role::Scheduler | Role::Console => RoxyWi::configured(&settings.scheduler)?.map(Arc::new),
        Role::Scanner | Role::Differ | Role::Notifier => None,
    };
    Ok(Ready {
        role,
        listen: arguments.listen.unwrap_or(settings.runtime.listen),
        settings,
        scanner,
        told,
        roxy_wi,
    })
}

/// Runs the command.
pub async fn run(ready: Ready) -> Result<ExitCode> {
    let Ready {
        role,
        settings,
        listen,
        scanner,
        told,
        roxy_wi,
    } = ready;
    if role == Role::Console {
        return console::run(&settings, listen, roxy_wi).await;
    }
    let metrics = telemetry::start_metrics()?;
    let shutdown = shutdown::on_signal().context("listening for signals")?;
    let bus = settings.broker.connect(role.name()).await?;

    let mut readiness = Readiness::default();
    let checked = bus.clone();
    readiness = readiness.with("broker", move || {
        let bus = checked.clone();
        async move { bus.check().await }
    });
    let mut store = None;
    if role != Role::Scanner {
        let opened = settings.store.connect().await?;
        let checked = opened.clone();
        readiness = readiness.with("database", move || {
            let store = checked.clone();
            async move { store.check().await }
        });
        store = Some(opened);
    }
    if let Some(roxy_wi) = roxy_wi.clone() {
        readiness = readiness.with_note("roxy-wi", move || roxy_wi.note());
    }
    // Health is answered until the very end, so that a slow stop is not taken for a death.
    let end = CancellationToken::new();
    let api = match (&store, &told) {
        (Some(store), Some((channels, routing))) => {
            let deps = ApiDeps {
                store: store.clone(),
                channels: channels.clone(),
                routing: routing.clone(),
            };
            api::router(deps, &settings.notifier.api_token)?
        }
        _ => None,
    };
    let address = health::serve(listen, readiness, metrics, api, end.clone()).await?;
    tracing::info!(role = role.name(), version = env!("CARGO_PKG_VERSION"), %address, "starting");

    match (scanner, store) {
        (Some(scanner), _) => scan(scanner, &settings, &bus, &shutdown).await?,
        (None, Some(store)) => {
            serve(role, &settings, &bus, store, (told, roxy_wi), &shutdown).await?;
        }
        (None, None) => {}
    }
    bus.close().await;
    end.cancel();
    tracing::info!(role = role.name(), "stopped");
    Ok(ExitCode::SUCCESS)
}

async fn scan(
    scanner: Scanner,
    settings: &Settings,
    bus: &Bus,
    shutdown: &CancellationToken,
) -> Result<()> {
    let shards = settings.broker.snapshot_shards;
    let deps = portwatch_scanner::Deps::new(bus.clone(), shards, scanner);
    portwatch_scanner::run(deps, &settings.scanner, shutdown.clone()).await?;
    Ok(())
}

async fn serve(
    role: Role,
    settings: &Settings,
    bus: &Bus,
    store: Store,
    (told, roxy_wi): (Option<Told>, Option<Arc<RoxyWi>>),
    shutdown: &CancellationToken,
) -> Result<()> {
    let bus = bus.clone();
    let checked = retry_while_unavailable("checking its schema", shutdown, || store.check()).await;
    match checked {
        Err(_) if shutdown.is_cancelled() => return Ok(()),
        checked => checked?,
    }
    match role {
        Role::Scheduler => {
            let source = portwatch_scheduler::Source::Settings;
            let targets =
                source.targets(&settings.scheduler.groups, &settings.scheduler.targets)?;
            let sync = || portwatch_scheduler::sync(&store, source, &targets);
            retry_while_unavailable("syncing targets", shutdown, sync).await?;
            let deps = portwatch_scheduler::Deps {
                store: store.clone(),
                bus,
                roxy_wi,
            };
            portwatch_scheduler::run(deps, &settings.scheduler, shutdown.clone()).await;
        }
        Role::Differ => {
            let snapshot_shards = settings.broker.snapshot_shards;
            let deps = portwatch_differ::Deps {
                store,
                bus,
                snapshot_shards,
                observer: None,
            };
            portwatch_differ::run(deps, &settings.differ, shutdown.clone()).await?;
        }
        Role::Notifier | Role::Scanner | Role::Console => {
            let Some((channels, routing)) = told else {
                return Ok(());
            };
            if channels.is_empty() {
                tracing::warn!(
                    "no channel is set (notifier.webhook.url or notifier.channels): changes go to the history and nobody is told"
                );
            }
            let deps = portwatch_notifier::Deps {
                store,
                bus,
                channels,
                routing,
                silences: portwatch_notifier::Silences::default(),
            };
            portwatch_notifier::run(deps, &settings.notifier, shutdown.clone()).await?;
        }
    }
    Ok(())
}
