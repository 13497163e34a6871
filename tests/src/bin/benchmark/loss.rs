//! Through the lab's wire: speed and truth where packets are lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portwatch_tests::lab;

use crate::compare::{one, whole};
use crate::measure;
use crate::report::{Report, Row};
use crate::rig::{Between, Rig};
use crate::tool::{self, Tool};
use crate::work::Work;
use crate::{Bench, Fault};

/// The bar asks for so many runs; each takes seconds.
const RUNS: usize = 30;
/// Verdicts about ports that `truth` collects.
const VERDICTS: u64 = 1_000_000;

/// 5 % lost each way, 20 ± 5 ms.
const EVEN: &str = "loss = 0.05\ndelay_ms = 20\njitter_ms = 5\n";
/// The same loss in bursts of 20 packets (Gilbert and Elliott).
const BURSTS: &str =
    "burst = { enter = 0.0026, leave = 0.05, loss = 1.0 }\ndelay_ms = 20\njitter_ms = 5\n";
/// The same, and twice nothing comes through.
const BLACKOUTS: &str =
    "loss = 0.05\ndelay_ms = 20\njitter_ms = 5\nblackouts = [[0.3, 0.8], [1.5, 2.0]]\n";

/// One host, 65,535 ports, at a set rate and at the one that the scanner finds.
pub fn lossy(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    const RATE: u32 = 10_000;
    let mut work = Work::ports();
    work.name = "lossy";
    let scenario = scenario(bench, "lossy", [EVEN, EVEN], 1)?;
    let mut rig = Rig::new(Between::Wire(&scenario))?;
    rig.listen(&work.open)?;
    let often = [Tool::Ours(Some(RATE)), Tool::Ours(None)];
    let seldom = [
        Tool::Nmap(Some(RATE)),
        Tool::Masscan(RATE, 10),
        Tool::Rustscan,
    ];
    let runs = if bench.full { RUNS } else { bench.rounds };
    for round in 0..runs {
        for tool in often {
            one(bench, report, &rig, &work, tool, round)?;
        }
        if round == 0 && !bench.quick {
            for tool in seldom {
                one(bench, report, &rig, &work, tool, round)?;
            }
        }
    }
    wire_report(rig)?;
    for (tool, most) in often.map(Tool::name).iter().zip([8.0, 3.0]) {
        let walls: Vec<f64> = report.of(work.name, tool).map(|row| row.run.wall).collect();
        let (median, worst) = (
            measure::median(walls.iter().copied()),
            walls.iter().copied().fold(0.0, f64::max),
        );
        let text = format!("{tool}: {median:.2} s (worst {worst:.2}), at most {most}");
        report.judge(work.name, &text, median <= most);
        whole(report, work.name, tool);
    }
    Ok(())
}

/// Fifty times the same: is it told the same?
pub fn repeat(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let mut work = Work::small();
    work.name = "repeat";
    let scenario = scenario(bench, "repeat", [EVEN, EVEN], 2)?;
    let mut rig = Rig::new(Between::Wire(&scenario))?;
    rig.listen(&work.open)?;
    let runs = if bench.quick { 5 } else { 50 };
    let mut outcomes: BTreeSet<String> = BTreeSet::new();
    let mut differ = 0;
    for round in 0..runs {
        let told = told(bench, report, &rig, &work, round)?;
        // Two runs differ if a port that both are sure of is another in each: none may be told wrongly in any.
        differ += usize::from(told.wrong() > 0);
        outcomes.insert(format!(
            "{} missing, {} unknown, {} filtered",
            told.missing, told.unknown, told.filtered
        ));
    }
    wire_report(rig)?;
    eprintln!("outcomes: {outcomes:?}");
    let text = format!("{differ} of {runs} runs differ in a definite verdict");
    report.judge(work.name, &text, differ == 0);
    Ok(())
}

/// A million verdicts, at even loss, in bursts and with blackouts.
pub fn truth(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let mut work = Work::ports();
    work.name = "truth";
    let mut sum = Told::default();
    let verdicts = if bench.quick { 3 * 65_535 } else { VERDICTS };
    let wires = [
        [EVEN, EVEN],
        [BURSTS, BURSTS],
        [BLACKOUTS, EVEN],
        [EVEN, BLACKOUTS],
    ];
    // Bounded: each run has 65,535 ports, and some may be unknown.
    for round in 0..2 * usize::try_from(verdicts / 65_535 + 1)? {
        if sum.verdicts() >= verdicts {
            break;
        }
        let wire = wires[round % wires.len()];
        let scenario = scenario(bench, "truth", wire, u64::try_from(round)?)?;
        let mut rig = Rig::new(Between::Wire(&scenario))?;
        rig.listen(&work.open)?;
        sum.add(told(bench, report, &rig, &work, round)?);
        rig.end()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "below 2⁵³")]
    let unknown = 100.0 * sum.unknown as f64 / (sum.unknown + sum.verdicts()).max(1) as f64;
    let text = format!(
        "{} verdicts: {} told open and not, {} open and told closed or filtered, {} closed and told filtered",
        sum.verdicts(),
        sum.false_open,
        sum.missing.saturating_sub(sum.unknown),
        sum.filtered
    );
    report.judge(work.name, &text, sum.wrong() == 0);
    let text = format!("{} unknown = {unknown:.3} %, at most 0.1", sum.unknown);
    report.judge(work.name, &text, unknown <= 0.1);
    Ok(())
}

/// What Portwatch told in one run, or in several.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    open: u64,
    closed: u64,
    filtered: u64,
    unknown: u64,
    /// Open and not told open.
    missing: u64,
    false_open: u64,
}

impl Told {
    fn verdicts(&self) -> u64 {
        self.open + self.closed + self.filtered
    }

    /// What is certainly wrong. Ports that are closed or unknown are told in numbers only: what is open and not
    /// told so is unknown, or else it is wrong.
    fn wrong(&self) -> u64 {
        self.false_open + self.filtered + self.missing.saturating_sub(self.unknown)
    }

    fn add(&mut self, other: Self) {
        self.open += other.open;
        self.closed += other.closed;
        self.filtered += other.filtered;
        self.unknown += other.unknown;
        self.missing += other.missing;
        self.false_open += other.false_open;
    }
}

fn told(
    bench: &Bench,
    report: &mut Report,
    rig: &Rig,
    work: &Work,
    round: usize,
) -> Result<Told, Fault> {
    let tool = Tool::Ours(None);
    let command = tool.command(rig, &bench.programs, work);
    let run = measure::run(rig, command, None, &bench.folder)?;
    let open = tool.open(&run.said, work);
    let (recall, false_open) = work.judge(&open);
    let number = |key| {
        tool::summary(&run.said, key).ok_or_else(|| format!("no {key} in {}", run.complained))
    };
    let told = Told {
        open: u64::try_from(open.len())?,
        closed: number("closed")?,
        filtered: tool::filtered(&run.said).try_into()?,
        unknown: number("unknown")?,
        missing: work.open.difference(&open).count().try_into()?,
        false_open: false_open.try_into()?,
    };
    report.add(Row {
        work: work.name,
        tool: tool.name(),
        round,
        recall,
        false_open,
        unknown: Some(told.unknown),
        run,
    })?;
    Ok(told)
}

/// A scenario of the lab with this wire and nobody on it; the target's kernel is behind it.
fn scenario(bench: &Bench, name: &str, wire: [&str; 2], seed: u64) -> Result<PathBuf, Fault> {
    let path = bench.folder.join(name).with_extension("toml");
    let [out, back] = wire;
    let text = format!(
        "about = \"The benchmark's wire.\"\nseed = {seed}\nhost = []\n[wire.out]\n{out}[wire.back]\n{back}\
         [scan]\nports = \"1\"\nrate = 1\n[expect]\nwithin_s = 1\n"
    );
    fs::write(&path, text)?;
    check(&path)?;
    Ok(path)
}

/// Says what is wrong here, rather than where nobody looks.
fn check(path: &Path) -> Result<(), Fault> {
    lab::Scenario::read(path).map_err(Into::into).map(drop)
}

/// Whether the wire could carry what it was given.
fn wire_report(rig: Rig) -> Result<(), Fault> {
    let (near, far) = (rig.counters()?, rig.target_counters()?);
    let wire = rig.end()?;
    eprintln!(
        "wire: {wire:?}; queues full on the way out {}, back {}",
        near.sent_dropped, far.sent_dropped
    );
    Ok(())
}
