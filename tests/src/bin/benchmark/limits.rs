//! How fast a scanner sends when nobody answers, and how much memory it takes.

use std::time::Duration;

use crate::measure;
use crate::report::{Report, Row};
use crate::rig::{Between, Rig};
use crate::tool::Tool;
use crate::work::Work;
use crate::{Bench, Fault};

/// The names of the bare program in tables: its frames shared with the kernel, or copied by it.
const BARE: &str = "bare program";
const BARE_COPIED: &str = "bare program, frames copied";

/// Sending to a target that drops all, beside a program that only sends.
pub fn dropping(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    const WORK: &str = "drop";
    const SECONDS: u64 = 3;
    let rig = Rig::new(Between::Veth)?;
    rig.drop_all()?;
    let huge = Work::huge();
    let one_port = Work::addresses();
    let interrupt = Some(Duration::from_secs(SECONDS));
    let (ours, masscan, zmap) = (
        Tool::Ours(Some(5_000_000)),
        Tool::Masscan(5_000_000, 0),
        Tool::Zmap(0, 0),
    );
    for round in 0..bench.rounds {
        for (name, passing) in [(BARE, "shared"), (BARE_COPIED, "copied")] {
            let mut bare = rig.command(std::env::current_exe()?);
            bare.args(["bare", &SECONDS.to_string(), passing]);
            let run = measure::run(&rig, bare, None, &bench.folder)?;
            unanswered(report, WORK, name.into(), round, run)?;
        }
        for tool in [ours, masscan, zmap] {
            let work = if tool == zmap { &one_port } else { &huge };
            let mut command = tool.command(&rig, &bench.programs, work);
            if tool == zmap {
                // It takes one port a run: each address is asked many times instead.
                command.args(["-P", "20"]);
            }
            let run = measure::run(&rig, command, interrupt, &bench.folder)?;
            unanswered(report, WORK, tool.name(), round, run)?;
        }
    }
    rig.end()?;
    let rate = |tool: &str| report.median(WORK, tool, |row| row.run.rate);
    let (limit, ours, masscan) = (rate(BARE), rate(&ours.name()), rate(&masscan.name()));
    let limit_copied = rate(BARE_COPIED);
    let of = |other: f64| format!("{ours:.0}/s / {other:.0}/s = {:.2}", ours / other);
    let (of_limit, of_masscan) = (of(limit), of(masscan));
    let of_copied = of(limit_copied);
    report.judge(
        WORK,
        &format!("bare program: {of_limit}, at least 0.85"),
        ours >= 0.85 * limit,
    );
    report.judge(
        WORK,
        &format!("{BARE_COPIED}: {of_copied}, at least 0.85"),
        ours >= 0.85 * limit_copied,
    );
    report.judge(
        WORK,
        &format!("masscan: {of_masscan}, at least 1.5"),
        ours >= 1.5 * masscan,
    );
    Ok(())
}

/// The memory for 65,536 × 1,000, where all answer and where nobody does.
pub fn memory(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let time = Duration::from_secs(if bench.quick { 5 } else { 20 });
    let work = Work::huge();
    for (name, answers) in [("memory, answering", true), ("memory, silent", false)] {
        let rig = Rig::new(Between::Veth)?;
        if !answers {
            rig.drop_all()?;
        }
        for tool in [
            Tool::Ours(Some(5_000_000)),
            Tool::Ours(None),
            Tool::Masscan(5_000_000, 0),
        ] {
            let command = tool.command(&rig, &bench.programs, &work);
            let run = measure::run(&rig, command, Some(time), &bench.folder)?;
            let peak = run.peak_mib;
            unanswered(report, name, tool.name(), 0, run)?;
            if matches!(tool, Tool::Ours(_)) {
                let text = format!("{}: {peak:.0} MiB, at most 64", tool.name());
                report.judge(name, &text, peak <= 64.0);
            }
        }
        rig.end()?;
    }
    Ok(())
}

/// A run in which nothing is open.
fn unanswered(
    report: &mut Report,
    work: &'static str,
    tool: String,
    round: usize,
    run: measure::Run,
) -> Result<(), Fault> {
    report.add(Row {
        work,
        tool,
        round,
        recall: 100.0,
        false_open: 0,
        unknown: None,
        run,
    })
}
