//! All sections of the settings, each owned by its service.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use portwatch_bus::Bus;
use portwatch_bus::rabbit::{self, RabbitSettings};
use portwatch_runtime::settings::{Secret, load};
use portwatch_runtime::telemetry::LogFormat;
use portwatch_store::Store;
use portwatch_store::postgres::{self, PostgresSettings};
use serde::Deserialize;

/// The port of everything that answers HTTP.
const PORT: u16 = 8911;

/// How long a one-off command waits for the broker and the database.
const PATIENCE: Duration = Duration::from_secs(6);

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub runtime: RuntimeSettings,
    pub broker: BrokerSettings,
    pub store: StoreSettings,
    pub scheduler: portwatch_scheduler::Settings,
    pub scanner: portwatch_scanner::Settings,
    pub differ: portwatch_differ::Settings,
    pub notifier: portwatch_notifier::Settings,
    pub console: portwatch_console::Settings,
}

/// The `[runtime]` section: what every process has.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct RuntimeSettings {
    /// Where `/healthz`, `/readyz` and `/metrics` are answered.
    pub listen: SocketAddr,
    /// What is logged; each command has a default of its own.
    pub log: Option<String>,
    /// How log lines look.
    pub log_format: LogFormat,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
        Self {
            listen,
            log: None,
            log_format: LogFormat::default(),
        }
    }
}

/// The `[broker]` section.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct BrokerSettings {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://…`.
    pub url: Secret,
    /// How many queues the snapshots are spread over; the same in every process.
    pub snapshot_shards: u16,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            snapshot_shards: 4,
        }
    }
}

/// The `[store]` section.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct StoreSettings {
    /// `postgres://user:password@host:5432/database`.
    pub url: Secret,
    /// The most connections of this process.
    pub pool: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            pool: 8,
        }
    }
}

/// Where settings come from, on every command that has any.
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
pub struct ConfigArgument {
    /// Settings file (TOML). Environment variables PORTWATCH__SECTION__KEY go over it
    #[arg(long, value_name = "FILE", env = "PORTWATCH_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigArgument {
    /// Reads the settings.
    pub fn load(&self) -> Result<Settings> {
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Ok(load(self.config.as_deref(), environment)?)
    }

    /// The file, if one was named.
    pub fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

impl BrokerSettings {
    /// Connects; the connection is made in the background. `name` is what the broker lists.
    pub async fn connect(&self, name: &str) -> Result<Bus> {
        if self.url.reveal().is_empty() {
            bail!(
                "broker.url is not set: write it in the settings file, or set PORTWATCH__BROKER__URL (to try Portwatch without a broker: portwatch up 127.0.0.1)"
            );
        }
        let settings = RabbitSettings {
            url: self.url.reveal().to_owned(),
            name: format!("portwatch {name}"),
            snapshot_shards: self.snapshot_shards,
            ..RabbitSettings::default()
        };
        rabbit::connect(settings).await.context("broker.url")
    }
}

/// Asks until the answer is good, or patience ends: connections are made in the background.
pub async fn until_good<F, Fut, E>(mut ask: F) -> Result<(), E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    let started = Instant::now();
    loop {
        match ask().await {
            Err(_) if started.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            ended => return ended,
        }
    }
}

impl StoreSettings {
    /// The settings of PostgreSQL.
    pub fn postgres(&self) -> Result<PostgresSettings> {
        if self.url.reveal().is_empty() {
            bail!(
                "store.url is not set: write it in the settings file, or set PORTWATCH__STORE__URL (to try Portwatch without a database server: portwatch up 127.0.0.1)"
            );
        }
        Ok(PostgresSettings::new(self.url.reveal(), self.pool))
    }

    /// Connects; connections are made when they are needed.
    pub async fn connect(&self) -> Result<Store> {
        postgres::connect(&self.postgres()?)
            .await
            .context("store.url")
    }
}
