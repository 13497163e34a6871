//! `portwatch doctor`: what this machine permits and reaches, and how to mend what is wrong.

mod checks;
mod kernel;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use portwatch_notifier::channels;
use portwatch_runtime::settings::List;
use portwatch_scheduler::{RoxyWi, Source, TargetSettings};

use crate::settings::ConfigArgument;
use checks::{Finding, Verdict};

/// Check what this machine permits and reaches, and say how to mend what is wrong
///
/// Checks raw sockets, the kernel's limits, the clock, the broker, the database and
/// Roxy-WI (if they are set), and the route to each target. No packet is sent to a target. Exit code 0 if all is well, 1 if
/// something needs mending, 2 if the settings are wrong.
#[derive(clap::Args)]
pub struct Arguments {
    /// Look for the route to these as well
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    #[command(flatten)]
    config: ConfigArgument,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = arguments.config.load()?;
    let mut listed = settings.scheduler.targets.clone();
    listed.extend(arguments.targets.iter().map(|address| TargetSettings {
        addresses: List(vec![address.clone()]),
        ..TargetSettings::default()
    }));
    // Tries the templates, too. Nothing is sent.
    channels::configured(&settings.notifier)?;
    let roxy_wi = RoxyWi::configured(&settings.scheduler)?;
    let targets = Source::Settings.targets(&settings.scheduler.groups, &listed)?;

    let mut findings = vec![checks::settings(arguments.config.file(), targets.len())];
    findings.push(checks::raw_sockets());
    findings.extend(kernel::all());
    findings.push(checks::open_files());
    findings.push(checks::broker(&settings.broker).await);
    let (database, clock) = checks::database_and_clock(&settings.store).await;
    findings.extend([database, clock]);
    if let Some(roxy_wi) = roxy_wi {
        findings.push(checks::roxy_wi(&roxy_wi).await);
    }
    for target in &targets {
        findings.push(checks::route(target).await);
    }
    let mut out = io::stdout();
    let mut wrong = 0;
    for Finding {
        what,
        verdict,
        detail,
        mend,
    } in &findings
    {
        let word = match verdict {
            Verdict::Good => "ok  ",
            Verdict::Note => "note",
            Verdict::Wrong => "FAIL",
        };
        writeln!(out, "{word}  {what}: {detail}")?;
        if let Some(mend) = mend {
            writeln!(out, "        {mend}")?;
        }
        wrong += u32::from(*verdict == Verdict::Wrong);
    }
    Ok(ExitCode::from(u8::from(wrong > 0)))
}
