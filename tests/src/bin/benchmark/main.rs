//! The peer benchmark: the same work for Portwatch and for others, in one go. `tests/benchmark/run` starts it.
//!
//! ```text
//! benchmark [--rounds N] [--quick|--full] --out FILE --portwatch FILE --rustscan FILE WORK...
//! benchmark hold | listen ADDRESS... | bare SECONDS [copied]      what it runs inside its namespaces
//! ```

mod bare;
mod compare;
mod kernel;
mod limits;
mod loss;
mod measure;
mod report;
mod rig;
mod tool;
mod work;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use kernel::Passing;
use portwatch_tests::lab::end_with_stdin;
use report::Report;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tool::Programs;

/// What went wrong.
pub type Fault = Box<dyn Error>;

type Measure = fn(&Bench, &mut Report) -> Result<(), Fault>;

/// What can be measured.
const WORKS: [(&str, Measure, &[&str]); 8] = [
    ("ports", compare::ports, &["ports"]),
    ("addresses", compare::addresses, &["addresses"]),
    ("mixed", compare::mixed, &["mixed"]),
    ("drop", limits::dropping, &["drop"]),
    (
        "memory",
        limits::memory,
        &["memory, answering", "memory, silent"],
    ),
    ("lossy", loss::lossy, &["lossy"]),
    ("repeat", loss::repeat, &["repeat"]),
    ("truth", loss::truth, &["truth"]),
];

/// How it is to be measured.
#[derive(Debug)]
pub struct Bench {
    /// How often each scanner runs.
    pub rounds: usize,
    /// Only what the bar compares, and less of it.
    pub quick: bool,
    /// As many runs as the bar asks for.
    pub full: bool,
    /// The scanners.
    pub programs: Programs,
    /// For what they print.
    pub folder: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<bool, Fault> {
    match arguments.split_first() {
        Some((role, rest)) if role == "hold" || role == "listen" => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(hold(rest))?;
            // To return would be to wait for the reader of standard input.
            std::process::exit(0);
        }
        Some((role, rest)) if role == "bare" => {
            let seconds = rest.first().ok_or("bare needs the seconds")?.parse()?;
            let is_copied = rest.get(1).is_some_and(|passing| passing == "copied");
            let passing = if is_copied {
                Passing::Copied
            } else {
                Passing::Shared
            };
            bare::send(seconds, passing)?;
            Ok(true)
        }
        _ => measure(arguments),
    }
}

/// Accepts connections on these addresses, if any, until the standard input ends.
async fn hold(addresses: &[String]) -> Result<(), Fault> {
    let mut tasks = JoinSet::new();
    for address in addresses {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("{address}: {error}"))?;
        tasks.spawn(async move { while listener.accept().await.is_ok() {} });
    }
    if !addresses.is_empty() {
        tasks.spawn(murmur());
    }
    println!("ready");
    end_with_stdin().await;
    Ok(())
}

/// Sends the scanner a packet now and then: on a network where all is silent, masscan ends up to 10 s after it has
/// finished, when it next receives something.
async fn murmur() {
    let Ok(socket) = UdpSocket::bind("198.19.0.2:0").await else {
        return;
    };
    loop {
        // It is refused each time, as it should be.
        let _ = socket.send_to(&[0], "198.19.0.1:9").await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn measure(arguments: &[String]) -> Result<bool, Fault> {
    let folder = tempfile::tempdir()?;
    let mut bench = Bench {
        rounds: 5,
        quick: false,
        full: false,
        programs: Programs {
            portwatch: "portwatch".into(),
            rustscan: "rustscan".into(),
        },
        folder: folder.path().to_owned(),
    };
    let mut out = PathBuf::from("benchmark.jsonl");
    let mut wanted: Vec<&str> = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--rounds" => bench.rounds = value()?.parse()?,
            "--out" => out = value()?.into(),
            "--portwatch" => bench.programs.portwatch = value()?.into(),
            "--rustscan" => bench.programs.rustscan = value()?.into(),
            "--quick" => bench.quick = true,
            "--full" => bench.full = true,
            "all" => wanted.extend(WORKS.map(|work| work.0)),
            work => wanted.push(work),
        }
    }
    works(&bench, &wanted, &out)
}

/// Measures these and prints the tables; true if the bar is met.
fn works(bench: &Bench, wanted: &[&str], out: &Path) -> Result<bool, Fault> {
    for name in wanted {
        if WORKS.iter().all(|work| work.0 != *name) {
            let known = WORKS.map(|work| work.0).join(", ");
            return Err(format!("{name:?} is no work; there are {known}, all").into());
        }
    }
    let mut report = Report::new(out)?;
    for (name, measure, tables) in WORKS {
        if wanted.contains(&name) {
            // What is missed by one shall not hide the others.
            if let Err(fault) = measure(bench, &mut report) {
                report.judge(name, &format!("not measured: {fault}"), false);
            }
            for table in tables {
                println!("{}", report.table(table));
            }
        }
    }
    println!("{}", report.bar());
    Ok(report.is_met())
}
