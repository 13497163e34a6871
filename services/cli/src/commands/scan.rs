//! `portwatch scan`: one scan, printed.

mod output;
mod plan;
mod progress;
mod seen;
mod services;
mod targets;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use jiff::Timestamp;
use portwatch_runtime::{shutdown, telemetry};
use portwatch_scanner::privilege::Keep;
use portwatch_scanner::{Retries, SELF_SET_RATE, Scanner};

use crate::sandbox;
use crate::settings::ConfigArgument;
use output::{Output, Run};
use progress::Bar;
use services::Services;

/// What is logged if the settings do not say.
const LOG: &str = "warn";

/// Exit code of a scan that Ctrl-C ended, as a shell reports SIGINT.
const INTERRUPTED: u8 = 130;

/// Scan once and print what is open
///
/// Scans once and prints what is open. Nothing is kept. Scan only what is yours.
///
/// Exit code 0 when the scan is done, 2 if something was wrong, 130 if Ctrl-C ended it: what was
/// known by then is printed, whatever the format. A second Ctrl-C ends it at once.
#[derive(clap::Args)]
pub struct Arguments {
    /// An address, CIDR block (192.0.2.0/24), range (192.0.2.1-192.0.2.9) or host name; - reads
    /// them from standard input, one a line, # starts a comment
    #[arg(value_name = "TARGET", required_unless_present = "input")]
    targets: Vec<String>,
    /// Targets from a file, as from standard input; may be given again
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// Ports to scan: 22,80,443,8000-8100 · all · top100 · top1000
    #[arg(long, value_name = "SPEC", default_value = "top1000")]
    ports: String,
    /// UDP ports to scan as well: 53,123,161 · all · top (the 100 most common). For UDP alone:
    /// --ports udp:53,udp:123
    #[arg(long, value_name = "SPEC")]
    udp: Option<String>,
    /// Addresses, CIDR blocks and ranges never to scan, with commas; may be given again
    #[arg(long, value_name = "ADDR")]
    exclude: Vec<String>,
    /// The most probes per second; auto: as many as come through, slower whenever answers are
    /// lost. Use auto on networks that are yours alone
    #[arg(long, value_name = "PPS|auto", default_value = "1000")]
    rate: Rate,
    /// How often a probe without an answer is sent again, 0 to 10; auto: as often as the loss that
    /// is measured asks for [default: scanner.retries, else auto]
    #[arg(long, value_name = "N|auto")]
    retries: Option<Retries>,
    /// Connect to each open TCP port and tell what listens there: banner, TLS certificate, HTTP title
    /// and server
    #[arg(long)]
    service: bool,
    /// How to print
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
    /// As `nmap -oX` writes it, for the programs that read that
    NmapXml,
    /// As `masscan -oJ` writes it: open ports, in one array
    MasscanJson,
}

/// The most probes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rate {
    /// The scanner finds it out.
    Auto,
    /// So many.
    Most(u32),
}

impl Rate {
    /// More than any machine sends: what is left are the scanner's own signs of loss.
    const UNLIMITED: u32 = SELF_SET_RATE;

    const fn per_second(self) -> u32 {
        match self {
            Self::Auto => Self::UNLIMITED,
            Self::Most(rate) => rate,
        }
    }
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(rate) if (1..=Self::UNLIMITED).contains(&rate) => Ok(Self::Most(rate)),
            _ => Err("write a number from 1 to 10000000, or auto"),
        }
    }
}

/// A scan that is ready to run.
pub struct Ready {
    arguments: Arguments,
    targets: Vec<String>,
    /// Its sockets, open, with no privilege left.
    scanner: Scanner,
    /// What asks open ports, if that is wanted.
    services: Option<Services>,
}

/// Reads the settings and the lists of targets, and opens the sockets.
pub fn prepare(arguments: Arguments) -> Result<Ready> {
    let mut settings = arguments.config.load()?;
    let filter = settings.runtime.log.as_deref().unwrap_or(LOG);
    telemetry::start_logs(filter, settings.runtime.log_format)?;
    settings.scanner.permit_rate(arguments.rate.per_second());
    // One job runs after the other.
    settings.scanner.concurrency = 1;
    if let Some(retries) = arguments.retries {
        settings.scanner.retries = retries;
    }
    let targets = targets::all(&arguments)?;
    let scanner = sandbox::open(&settings.scanner, Keep::Nothing)?;
    let rate = arguments.rate.per_second();
    let services = arguments
        .service
        .then(|| Services::new(&settings.scanner, rate));
    Ok(Ready {
        arguments,
        targets,
        scanner,
        services,
    })
}

/// Runs the command.
pub async fn run(ready: Ready) -> Result<ExitCode> {
    let Ready {
        arguments,
        targets,
        scanner,
        services,
    } = ready;
    let jobs = plan::jobs(&arguments, targets).await?;
    let shutdown = shutdown::on_signal().context("listening for signals")?;
    let run = Run {
        command: std::env::args().collect::<Vec<_>>().join(" "),
        method: scanner.method(),
        ports: jobs
            .first()
            .map(|job| job.ports.clone())
            .unwrap_or_default(),
        started_at: Timestamp::now(),
    };
    let mut output = Output::new(arguments.format, io::BufWriter::new(io::stdout()), run)?;
    let bar = Bar::new(&jobs);
    tracing::debug!(jobs = jobs.len(), method = %scanner.method(), "scanning");
    let mut ended = Ok(());
    for job in &jobs {
        ended = async {
            let mut scan = scanner.scan(job, bar.job(), shutdown.clone()).await?;
            if let Some(services) = &services {
                let open = Services::open(&scan);
                bar.asking(open.len());
                services.ask(open, job, &mut scan, &shutdown).await;
            }
            bar.aside(|| output.job(job, &scan))?;
            anyhow::Ok(())
        }
        .await;
        if ended.is_err() || shutdown.is_cancelled() {
            break;
        }
    }
    bar.clear();
    let stopped = shutdown.is_cancelled();
    // What was printed is made whole also if the scan failed; then that is what has to be told.
    let printed = output.end(stopped || ended.is_err(), Timestamp::now());
    ended?;
    printed?;
    Ok(if stopped {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_left_to_the_scanner() {
        assert_eq!("auto".parse(), Ok(Rate::Auto));
        assert_eq!("1".parse(), Ok(Rate::Most(1)));
        assert_eq!("10000000".parse(), Ok(Rate::Most(10_000_000)));
        for wrong in ["0", "10000001", "-1", "fast", "", "1e3"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
