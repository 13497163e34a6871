//! The `portwatch` command. Each subcommand is one file in `commands/` and one line in [`Command`].

mod commands;
mod listing;
mod printable;
mod sandbox;
mod settings;
mod sources;
mod state;
mod user;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use commands::role::Role;
use commands::{
    approve, audit, channel, check, dead, deliveries, diff, doctor, healthcheck, history, migrate,
    ports, problems, role, route, roxy_wi, scan, scan_now, scans, silence, targets, token, up,
    user as users,
};

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
    Targets(targets::Arguments),
    Ports(ports::Arguments),
    Check(check::Arguments),
    History(history::Arguments),
    Scans(scans::Arguments),
    Diff(diff::Arguments),
    Approve(approve::Arguments),
    ScanNow(scan_now::Arguments),
    Problems(problems::Arguments),
    Ack(problems::AckArguments),
    Silence(silence::Arguments),
    Route(route::Arguments),
    RoxyWi(roxy_wi::Arguments),
    Channel(channel::Arguments),
    Deliveries(deliveries::Arguments),
    User(users::Arguments),
    Token(token::Arguments),
    Audit(audit::Arguments),
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
    /// Run the console: pages for people, and APIs for programs
    ///
    /// It answers Roxy-WI's calls for its port scanner, an API of its own, and shows Monitoring → Port
    /// scanner to users. Any number may run. It needs PostgreSQL (store.url), and runs until SIGTERM.
    Console(role::Arguments),
    Migrate(migrate::Arguments),
    Doctor(doctor::Arguments),
    Dead(dead::Arguments),
    Healthcheck(healthcheck::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Every TLS connection of this process uses this provider; it fails only if one is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    run(arguments.command).unwrap_or_else(|error| failed(&error))
}

/// Those that scan prepare first, while there is one thread: what is given up then, no thread has.
fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => finish(up::run(up::prepare(arguments)?)),
        Command::Scan(arguments) => finish(scan::run(scan::prepare(arguments)?)),
        Command::Targets(arguments) => finish(targets::run(arguments)),
        Command::Ports(arguments) => finish(ports::run(arguments)),
        Command::Check(arguments) => finish(check::run(arguments)),
        Command::History(arguments) => finish(history::run(arguments)),
        Command::Scans(arguments) => finish(scans::run(arguments)),
        Command::Diff(arguments) => finish(diff::run(arguments)),
        Command::Approve(arguments) => finish(approve::run(arguments)),
        Command::ScanNow(arguments) => finish(scan_now::run(arguments)),
        Command::Problems(arguments) => finish(problems::run(arguments)),
        Command::Ack(arguments) => finish(problems::acknowledge(arguments)),
        Command::Silence(arguments) => finish(silence::run(arguments)),
        Command::Route(arguments) => finish(route::run(arguments)),
        Command::RoxyWi(arguments) => finish(roxy_wi::run(arguments)),
        Command::Channel(arguments) => finish(channel::run(arguments)),
        Command::Deliveries(arguments) => finish(deliveries::run(arguments)),
        Command::User(arguments) => finish(users::run(arguments)),
        Command::Token(arguments) => finish(token::run(arguments)),
        Command::Audit(arguments) => finish(audit::run(arguments)),
        Command::Scheduler(arguments) => serve(Role::Scheduler, &arguments),
        Command::Scanner(arguments) => serve(Role::Scanner, &arguments),
        Command::Differ(arguments) => serve(Role::Differ, &arguments),
        Command::Notifier(arguments) => serve(Role::Notifier, &arguments),
        Command::Console(arguments) => serve(Role::Console, &arguments),
        Command::Migrate(arguments) => finish(migrate::run(arguments)),
        Command::Doctor(arguments) => finish(doctor::run(arguments)),
        Command::Dead(arguments) => finish(dead::run(arguments)),
        Command::Healthcheck(arguments) => finish(healthcheck::run(arguments)),
    }
}

fn serve(role: Role, arguments: &role::Arguments) -> anyhow::Result<ExitCode> {
    finish(role::run(role::prepare(role, arguments)?))
}

/// Starts the threads and runs the command on them.
fn finish(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting")?;
    let result = runtime.block_on(work);
    // Blocking calls that are still out, such as a name being resolved, are not waited for.
    runtime.shutdown_background();
    result
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
