//! The same work for all scanners, one after the other, again and again: no loss, a kernel that answers.

use crate::measure;
use crate::report::{Report, Row};
use crate::rig::{Between, Rig};
use crate::tool::{self, Tool};
use crate::work::Work;
use crate::{Bench, Fault};

/// What most rounds are too dear for takes part in this many.
const FEW: usize = 2;

/// One host, 65,535 ports.
pub fn ports(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let work = Work::ports();
    let often = [Tool::Ours(None), Tool::Nmap(None)];
    let seldom = [Tool::Masscan(100_000, 3), Tool::Rustscan];
    all(bench, report, &work, &often, &seldom)?;
    let [ours, nmap] = often.map(Tool::name);
    let wall = |tool| report.median(work.name, tool, |row| row.run.wall);
    let cpu = |tool| report.median(work.name, tool, |row| row.run.user + row.run.system);
    let (walls, cpus) = ([wall(&ours), wall(&nmap)], [cpu(&ours), cpu(&nmap)]);
    report.judge_ratio(work.name, "wall s of nmap -T4", walls[0], walls[1], 0.70);
    report.judge_ratio(work.name, "CPU s of nmap -T4", cpus[0], cpus[1], 0.65);
    whole(report, work.name, &ours);
    Ok(())
}

/// 65,536 addresses, one port.
pub fn addresses(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let work = Work::addresses();
    let often = [
        Tool::Ours(None),
        Tool::Zmap(100_000, 2),
        Tool::Zmap(100_000, 1),
    ];
    let seldom = [Tool::Masscan(100_000, 3), Tool::Nmap(None), Tool::Rustscan];
    all(bench, report, &work, &often, &seldom)?;
    let [ours, patient, hasty] = often.map(Tool::name);
    let wall = |tool| report.median(work.name, tool, |row| row.run.wall);
    let [ours_wall, patient, hasty] = [wall(&ours), wall(&patient), wall(&hasty)];
    report.judge_ratio(work.name, "wall s of zmap -c 2", ours_wall, patient, 0.40);
    report.judge_ratio(work.name, "wall s of zmap -c 1", ours_wall, hasty, 0.40);
    whole(report, work.name, &ours);
    Ok(())
}

/// 256 addresses, 1,000 ports.
pub fn mixed(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let work = Work::mixed();
    let often = [Tool::Ours(None), Tool::Nmap(None)];
    let seldom = [Tool::Masscan(100_000, 3), Tool::Rustscan];
    all(bench, report, &work, &often, &seldom)?;
    let [ours, nmap] = often.map(Tool::name);
    let wall = |tool| report.median(work.name, tool, |row| row.run.wall);
    let walls = [wall(&ours), wall(&nmap)];
    report.judge_ratio(work.name, "wall s of nmap -T4", walls[0], walls[1], 0.65);
    whole(report, work.name, &ours);
    Ok(())
}

/// Recall 100 %, nothing false.
pub fn whole(report: &mut Report, work: &str, tool: &str) {
    let (recall, wrong) = (
        report.least_recall(work, tool),
        report.false_opens(work, tool),
    );
    let text = format!("{tool}: least recall {recall:.1} %, {wrong} false");
    report.judge(work, &text, recall >= 100.0 && wrong == 0);
}

fn all(
    bench: &Bench,
    report: &mut Report,
    work: &Work,
    often: &[Tool],
    seldom: &[Tool],
) -> Result<(), Fault> {
    let mut rig = Rig::new(Between::Veth)?;
    rig.listen(&work.open)?;
    for round in 0..bench.rounds {
        for tool in often {
            one(bench, report, &rig, work, *tool, round)?;
        }
        if round < FEW && !bench.quick {
            for tool in seldom {
                one(bench, report, &rig, work, *tool, round)?;
            }
        }
    }
    rig.end()?;
    Ok(())
}

/// One run of one scanner.
pub fn one(
    bench: &Bench,
    report: &mut Report,
    rig: &Rig,
    work: &Work,
    tool: Tool,
    round: usize,
) -> Result<(), Fault> {
    let command = tool.command(rig, &bench.programs, work);
    let run = measure::run(rig, command, None, &bench.folder)?;
    let (recall, false_open) = work.judge(&tool.open(&run.said, work));
    report.add(Row {
        work: work.name,
        tool: tool.name(),
        round,
        recall,
        false_open,
        unknown: tool::summary(&run.said, "unknown"),
        run,
    })
}
