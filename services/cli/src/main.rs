//! The `portwatch` command. Each subcommand is one file in `commands/` and one line in [`Command`].

mod commands;
mod printable;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{dead, doctor, healthcheck, migrate, role, scan, up};

/// Exit code of anything that went wrong.
const FAILED: u8 = 2;

/// Exit code of a program whose reader has gone, as a shell reports SIGPIPE.
const BROKEN_PIPE: u8 = 141;

/// Watches which ports are open on the hosts that you own, and tells you when one opens or closes.
///
/// To try it: `portwatch up 127.0.0.1` watches this machine until Ctrl-C, with nothing to install.
/// Scan only what is yours.
#[derive(Parser)]
#[command(
    name = "portwatch",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(up::Arguments),
    Scan(scan::Arguments),
    /// Run the scheduler: decides when each target is due
    ///
    /// It makes the targets of the settings file the ones that are watched, and publishes a job for
    /// each that is due. Any number may run. It needs RabbitMQ (broker.url) and PostgreSQL
    /// (store.url), and runs until SIGTERM.
    Scheduler(role::Arguments),
    /// Run a scanner worker: probes ports
    ///
    /// It takes the jobs of its zone (scanner.zone) and publishes what it saw. Any number may run. It
    /// needs RabbitMQ (broker.url) and no database, and runs until SIGTERM, which lets it finish the
    /// jobs in hand or hands them back.
    Scanner(role::Arguments),
    /// Run the differ: finds what changed
    ///
    /// It keeps the state and the history of hosts and ports, and publishes what changed. Any number
    /// may run. It needs RabbitMQ (broker.url) and PostgreSQL (store.url), and runs until SIGTERM.
    Differ(role::Arguments),
    /// Run the notifier: tells webhooks and other channels
    ///
    /// It keeps a delivery for each channel until the receiver has taken it, for three days at the
    /// most. Any number may run. It needs RabbitMQ (broker.url) and PostgreSQL (store.url), and runs
    /// until SIGTERM.
    Notifier(role::Arguments),
    Migrate(migrate::Arguments),
    Doctor(doctor::Arguments),
    Dead(dead::Arguments),
    Healthcheck(healthcheck::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("starting")),
    };
    // Every TLS connection of this process uses this provider; it fails only if one is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Up(arguments) => up::run(arguments).await,
            Command::Scan(arguments) => scan::run(arguments).await,
            Command::Scheduler(arguments) => role::run(role::Role::Scheduler, arguments).await,
            Command::Scanner(arguments) => role::run(role::Role::Scanner, arguments).await,
            Command::Differ(arguments) => role::run(role::Role::Differ, arguments).await,
            Command::Notifier(arguments) => role::run(role::Role::Notifier, arguments).await,
            Command::Migrate(arguments) => migrate::run(arguments).await,
            Command::Doctor(arguments) => doctor::run(arguments).await,
            Command::Dead(arguments) => dead::run(arguments).await,
            Command::Healthcheck(arguments) => healthcheck::run(arguments).await,
        }
    });
    // Blocking calls that are still out, such as a name being resolved, are not waited for.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // `portwatch scan … | head` has seen enough: that is nobody's mistake.
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    if cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe) {
        return ExitCode::from(BROKEN_PIPE);
    }
    eprintln!("portwatch: {error:#}");
    ExitCode::from(FAILED)
}
