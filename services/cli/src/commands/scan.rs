//! `portwatch scan`: one scan, printed.

mod output;
mod plan;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use portwatch_runtime::{shutdown, telemetry};
use portwatch_scanner::{Progress, Scanner};

use crate::settings::ConfigArgument;
use output::Output;

/// What is logged if the settings do not say.
const LOG: &str = "warn";

/// Scan once and print what is open
///
/// Scans once and prints what is open. Nothing is kept. Scan only what is yours.
///
/// Exit code 0 when the scan is done, 2 if something was wrong, 130 if Ctrl-C ended it: what was
/// known by then is printed.
#[derive(clap::Args)]
pub struct Arguments {
    /// An address, CIDR block (192.0.2.0/24), range (192.0.2.1-192.0.2.9) or host name
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    /// Ports to scan: 22,80,443,8000-8100 · all · top100 · top1000
    #[arg(long, value_name = "SPEC", default_value = "top1000")]
    ports: String,
    /// The most probes per second
    #[arg(long, value_name = "PPS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Addresses, CIDR blocks and ranges never to scan, with commas; may be given again
    #[arg(long, value_name = "ADDR")]
    exclude: Vec<String>,
    /// How to print: a table for people, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    config: ConfigArgument,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Open ports in columns, the rest in sum
    Table,
    /// One open or filtered port a line, then a line of type "summary"
    Ndjson,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut settings = arguments.config.load()?;
    let filter = settings.runtime.log.as_deref().unwrap_or(LOG);
    telemetry::start_logs(filter, settings.runtime.log_format)?;
    settings.scanner.permit_rate(arguments.rate);
    let jobs = plan::jobs(&arguments).await?;
    let shutdown = shutdown::on_signal().context("listening for signals")?;

    let scanner = Scanner::new(&settings.scanner)?;
    let mut output = Output::new(arguments.format, scanner.method());
    let bar = bar();
    let total: u64 = jobs
        .iter()
        .map(|job| (job.hosts.len() * job.ports.len()) as u64)
        .sum();
    bar.set_length(total);
    let mut before = 0;
    for job in &jobs {
        let shown = bar.clone();
        let progress = move |progress: Progress| {
            shown.set_position(before + progress.done);
            shown.set_message(format!(
                "{} answers, {} open",
                progress.answers, progress.open
            ));
        };
        let scan = scanner.scan(job, progress, shutdown.clone()).await?;
        before += (job.hosts.len() * job.ports.len()) as u64;
        bar.suspend(|| output.job(job, &scan))?;
        if shutdown.is_cancelled() {
            break;
        }
    }
    bar.finish_and_clear();
    output.summary(shutdown.is_cancelled())?;
    Ok(if shutdown.is_cancelled() {
        ExitCode::from(130)
    } else {
        ExitCode::SUCCESS
    })
}

/// A progress bar, if somebody can see it.
fn bar() -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let template = "{percent:>3}% {wide_bar} {per_sec}  {msg}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
