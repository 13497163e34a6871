//! One scenario, played through.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::address::{Family, host};
use super::judge::judge;
use super::namespace::{Privilege, Trouble};
use super::scenario::{Link, Method, Scenario, folder};
use super::world::{Plan, World};
use crate::{Portwatch, skip};

/// How many faults of one trial are shown.
const SHOWN: usize = 12;

/// A scenario over one link, in one family, by one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Over which link.
    pub link: Link,
    /// With which addresses.
    pub family: Family,
    /// By which method.
    pub method: Method,
}

impl fmt::Display for Trial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?}, {:?}, {:?}",
            self.link, self.family, self.method
        )
    }
}

/// Plays a scenario, all its trials at once; panics with all that was told wrongly. `over` takes one of its links,
/// `program` is `portwatch-lab`, `privilege` what the process may do if it is not to find out itself.
pub fn run(name: &str, over: Option<Link>, program: &str, privilege: Option<Privilege>) {
    let file = folder().join(name).with_extension("toml");
    let scenario = Scenario::read(&file).unwrap_or_else(|fault| panic!("{fault}"));
    let found = privilege.map_or_else(Privilege::find, Ok);
    let trials = trials(&scenario, over);
    assert!(!trials.is_empty(), "{name} has no trial over {over:?}");
    let play = |trial: Trial| -> Result<Vec<String>, Trouble> {
        play(&scenario, &file, trial, found.clone()?, Path::new(program))
    };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = trials
            .iter()
            .map(|trial| scope.spawn(|| play(*trial)))
            .collect();
        running
            .into_iter()
            .map(|running| running.join().unwrap())
            .collect()
    });
    let mut faults = Vec::new();
    let mut missing = Vec::new();
    for (trial, outcome) in trials.iter().zip(outcomes) {
        match outcome {
            Ok(found) => faults.extend(found.into_iter().map(|fault| format!("{trial}: {fault}"))),
            Err(Trouble::Failed(why)) => faults.push(format!("{trial}: {why}")),
            Err(Trouble::Missing(why)) => missing.push(why),
        }
    }
    assert!(faults.is_empty(), "{name}:\n  {}", faults.join("\n  "));
    if let Some(why) = missing.first() {
        let over = over.map_or_else(String::new, |link| format!(" over {link:?}"));
        skip(&format!("lab: {name}{over}"), why);
    }
}

/// Plays a scenario without telling the scan what is excluded, which must not go unnoticed; the faults that are
/// found in each of its trials. `None` if this machine cannot play it.
pub fn run_without_exclusions(name: &str, program: &str) -> Option<Vec<Vec<String>>> {
    let file = folder().join(name).with_extension("toml");
    let mut scenario = Scenario::read(&file).unwrap_or_else(|fault| panic!("{fault}"));
    for block in &mut scenario.host {
        block.excluded = false;
    }
    let play = |trial: Trial| -> Result<Vec<String>, Trouble> {
        // The wire reads the file, and knows what is excluded.
        play(
            &scenario,
            &file,
            trial,
            Privilege::find()?,
            Path::new(program),
        )
    };
    let outcomes = trials(&scenario, None).into_iter().map(play);
    match outcomes.collect::<Result<_, _>>() {
        Ok(faults) => Some(faults),
        Err(Trouble::Failed(why)) => panic!("{name}: {why}"),
        Err(Trouble::Missing(why)) => {
            skip(&format!("lab: {name} without exclusions"), &why);
            None
        }
    }
}

fn trials(scenario: &Scenario, over: Option<Link>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for link in scenario.links.iter().copied() {
        for family in scenario.families.iter().copied() {
            for method in scenario.methods.iter().copied() {
                trials.push(Trial {
                    link,
                    family,
                    method,
                });
            }
        }
    }
    trials.retain(|trial| over.is_none_or(|link| trial.link == link));
    trials
}

fn play(
    scenario: &Scenario,
    file: &Path,
    trial: Trial,
    privilege: Privilege,
    program: &Path,
) -> Result<Vec<String>, Trouble> {
    let plan = Plan {
        scenario,
        file,
        link: trial.link,
        family: trial.family,
    };
    let world = World::build(&plan, privilege, program)?;
    let began = Instant::now();
    let scan = scan(&world, scenario, trial);
    let took = began.elapsed();
    let report = world.end();
    let said = match scan {
        Ok(said) => said,
        Err(fault) => return Ok(vec![fault]),
    };
    if std::env::var_os("PORTWATCH_TEST_SHOW").is_some() {
        let summary = said.lines().last().unwrap_or_default();
        eprintln!(
            "| {trial}: {:.1} s, {summary}, wire: {report:?}",
            took.as_secs_f64()
        );
    }
    let mut faults = judge(scenario, trial.family, trial.link, &said, report.as_ref());
    if faults.len() > SHOWN {
        let more = faults.len() - SHOWN;
        faults.truncate(SHOWN);
        faults.push(format!("and {more} more"));
    }
    Ok(faults)
}

/// Runs the scan; what it printed, or why it failed.
fn scan(world: &World, scenario: &Scenario, trial: Trial) -> Result<String, String> {
    let mut command = world.scanner.command(Portwatch::path());
    command.arg("scan");
    for block in &scenario.host {
        let [first, last] = [block.at.first, block.at.last]
            .map(|at| host(block.place(trial.link), at, trial.family));
        let range = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        command.arg(&range);
        if block.excluded {
            command.args(["--exclude", &range]);
        }
    }
    let rate = scenario.scan.rate.to_string();
    command.args([
        "--format",
        "ndjson",
        "--ports",
        scenario.scan.ports.text(),
        "--rate",
        &rate,
    ]);
    if !scenario.scan.udp.is_empty() {
        command.args(["--udp", scenario.scan.udp.text()]);
    }
    command.args(&scenario.scan.arguments);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    command.env(
        "PORTWATCH__SCANNER__METHOD",
        match trial.method {
            Method::Syn => "syn",
            Method::Connect => "connect",
        },
    );
    for (key, value) in &scenario.scan.settings {
        command.env(format!("PORTWATCH__SCANNER__{}", key.to_uppercase()), value);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let output = until(child, Duration::from_secs_f64(scenario.expect.within_s))?;
    if output.code == Some(0) {
        return Ok(output.stdout);
    }
    Err(format!(
        "the scan ended with {:?}: {}",
        output.code, output.stderr
    ))
}

struct Output {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Waits for a process to end, which is ended if it takes longer.
fn until(mut child: Child, patience: Duration) -> Result<Output, String> {
    let mut streams = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (done, is_done) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        streams.0.read_to_string(&mut stdout).unwrap();
        streams.1.read_to_string(&mut stderr).unwrap();
        // Nobody waits any more if the deadline has passed.
        let _ = done.send(());
        (stdout, stderr)
    });
    let in_time = is_done.recv_timeout(patience).is_ok();
    if !in_time {
        child.kill().map_err(|error| error.to_string())?;
    }
    let code = child.wait().map_err(|error| error.to_string())?.code();
    let (stdout, stderr) = reader.join().unwrap();
    if !in_time {
        return Err(format!(
            "the scan did not end within {patience:?}; {stderr}"
        ));
    }
    Ok(Output {
        code,
        stdout,
        stderr,
    })
}
