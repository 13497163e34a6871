//! `portwatch console`: needs the store alone.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use portwatch_runtime::health::{self, Readiness};
use portwatch_runtime::{shutdown, telemetry};
use portwatch_scheduler::RoxyWi;
use portwatch_store::retry_while_unavailable;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
use crate::sources::sources;

/// Serves the console until it is asked to stop.
pub async fn run(
    settings: &Settings,
    listen: SocketAddr,
    roxy_wi: Option<Arc<RoxyWi>>,
) -> Result<ExitCode> {
    let metrics = telemetry::start_metrics()?;
    let shutdown = shutdown::on_signal().context("listening for signals")?;
    let store = settings.store.connect().await?;
    let checked = store.clone();
    let readiness = Readiness::default().with("database", move || {
        let store = checked.clone();
        async move { store.check().await }
    });
    let deps = portwatch_console::Deps {
        sources: sources(&store, roxy_wi.as_ref()),
        store: store.clone(),
    };
    let console = portwatch_console::router(deps, settings.console)?;
    let end = CancellationToken::new();
    let address = health::serve(listen, readiness, metrics, Some(console), end.clone()).await?;
    tracing::info!(role = "console", version = env!("CARGO_PKG_VERSION"), %address, "starting");
    let checked = retry_while_unavailable("checking its schema", &shutdown, || store.check()).await;
    if !shutdown.is_cancelled() {
        checked?;
        shutdown.cancelled().await;
    }
    end.cancel();
    tracing::info!(role = "console", "stopped");
    Ok(ExitCode::SUCCESS)
}
