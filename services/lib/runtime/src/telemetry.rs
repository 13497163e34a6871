//! Logs to standard error, and metrics in Prometheus' text format.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error(
        "runtime.log {filter:?} is not a log filter: write a level (info) or module=level pairs"
    )]
    Filter {
        /// What was written.
        filter: String,
        /// Why it is not a filter.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else has already taken the process' log or metrics.
    #[error("starting telemetry: {0}")]
    Taken(String),
}

/// Starts logging to standard error; `filter` as `info` or `warn,portwatch_scanner=debug`.
///
/// # Errors
/// If the filter is not one, or logging was started before.
pub fn start_logs(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let stderr = std::io::stderr;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr);
    match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|cause| TelemetryError::Taken(cause.to_string()))
}

/// Upper bounds of histogram buckets, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0,
];

/// Starts collecting metrics; what has come together is rendered by the handle.
///
/// # Errors
/// If metrics were started before.
pub fn start_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let taken = |cause: &dyn std::fmt::Display| TelemetryError::Taken(cause.to_string());
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(|cause| taken(&cause))?
        .install_recorder()
        .map_err(|cause| taken(&cause))
}
