//! What was measured: a line of JSON for each run, tables of medians, and what they say of the bar.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::Fault;
use crate::measure::{Run, median};

/// One run of one scanner.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which work.
    pub work: &'static str,
    /// Which scanner.
    pub tool: String,
    /// How often it ran before.
    pub round: usize,
    /// How much of what is open was found, in percent.
    pub recall: f64,
    /// How much was told open that is not.
    pub false_open: usize,
    /// Ports of which it says that it does not know, if it says so.
    pub unknown: Option<u64>,
    /// What it took.
    pub run: Run,
}

/// Which figure of a run.
pub type Figure = fn(&Row) -> f64;

/// All that was measured.
pub struct Report {
    file: File,
    rows: Vec<Row>,
    bar: Vec<String>,
}

impl Report {
    /// Nothing yet. The runs go into this file.
    pub fn new(path: &Path) -> Result<Self, Fault> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            file,
            rows: Vec::new(),
            bar: Vec::new(),
        })
    }

    /// Takes a run.
    pub fn add(&mut self, mut row: Row) -> Result<(), Fault> {
        let run = &row.run;
        let line = json!({
            "work": row.work, "tool": row.tool, "round": row.round,
            "recall_percent": row.recall, "false_open": row.false_open, "unknown": row.unknown,
            "wall_s": run.wall, "user_s": run.user, "system_s": run.system, "peak_mib": run.peak_mib,
            "packets_sent": run.sent, "packets_received": run.received, "packets_per_s": run.rate,
            "load": run.load, "succeeded": run.succeeded,
        });
        writeln!(self.file, "{line}")?;
        eprintln!(
            "{} {} #{}: {:.2} s, {:.2} s CPU, {:.0} MiB, {} sent, {:.0}/s, recall {:.1} %, false {}, unknown {:?}, load {}",
            row.work,
            row.tool,
            row.round,
            run.wall,
            run.user + run.system,
            run.peak_mib,
            run.sent,
            run.rate,
            row.recall,
            row.false_open,
            row.unknown,
            run.load
        );
        if !run.succeeded {
            let said = run.complained.lines().last().unwrap_or_default();
            eprintln!("{} failed: {said}", row.tool);
        }
        // It can be long, and counts as memory of what is measured next.
        (row.run.said, row.run.complained) = (String::new(), String::new());
        self.rows.push(row);
        Ok(())
    }

    /// The median of a figure of the runs of one scanner.
    pub fn median(&self, work: &str, tool: &str, figure: Figure) -> f64 {
        median(self.of(work, tool).map(figure))
    }

    /// The runs of one scanner.
    pub fn of<'a>(&'a self, work: &'a str, tool: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows
            .iter()
            .filter(move |row| row.work == work && row.tool == tool)
    }

    /// The share of what is open that the worst run found, in percent.
    pub fn least_recall(&self, work: &str, tool: &str) -> f64 {
        let recalls = self.of(work, tool).map(|row| row.recall);
        recalls.fold(100.0, f64::min)
    }

    /// How much all runs together told open that is not.
    pub fn false_opens(&self, work: &str, tool: &str) -> usize {
        self.of(work, tool).map(|row| row.false_open).sum()
    }

    /// Notes whether the bar is met.
    pub fn judge(&mut self, work: &str, what: &str, met: bool) {
        let verdict = if met { "pass" } else { "MISS" };
        self.bar.push(format!("| {work} | {what} | {verdict} |"));
    }

    /// Notes whether a figure is at most so much of another.
    pub fn judge_ratio(&mut self, work: &str, what: &str, ours: f64, theirs: f64, most: f64) {
        let ratio = ours / theirs;
        let text = format!("{what}: {ours:.3} / {theirs:.3} = {ratio:.2}, at most {most}");
        self.judge(work, &text, ratio <= most);
    }

    /// The table of one work.
    pub fn table(&self, work: &str) -> String {
        let mut tools: Vec<&str> = Vec::new();
        for row in self.rows.iter().filter(|row| row.work == work) {
            if !tools.contains(&row.tool.as_str()) {
                tools.push(&row.tool);
            }
        }
        let mut table = format!(
            "\n### {work}\n| scanner | runs | wall s (least–most) | user + system s | peak MiB | sent | received | sent/s | recall % (least) | false | load |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        );
        for tool in tools {
            let figure = |figure: Figure| self.median(work, tool, figure);
            let walls = || self.of(work, tool).map(|row| row.run.wall);
            #[expect(clippy::cast_precision_loss, reason = "below 2⁵³")]
            let (sent, received) = (
                figure(|row| row.run.sent as f64),
                figure(|row| row.run.received as f64),
            );
            let written = writeln!(
                table,
                "| {tool} | {} | {:.3} ({:.3}–{:.3}) | {:.3} + {:.3} | {:.0} | {sent:.0} | {received:.0} | {:.0} | {:.1} ({:.1}) | {} | {:.1} |",
                walls().count(),
                figure(|row| row.run.wall),
                walls().fold(f64::INFINITY, f64::min),
                walls().fold(0.0, f64::max),
                figure(|row| row.run.user),
                figure(|row| row.run.system),
                figure(|row| row.run.peak_mib),
                figure(|row| row.run.rate),
                figure(|row| row.recall),
                self.least_recall(work, tool),
                self.false_opens(work, tool),
                figure(|row| row.run.load),
            );
            debug_assert!(written.is_ok(), "strings grow");
        }
        table
    }

    /// What all of it says of the bar.
    pub fn bar(&self) -> String {
        let rows = self.bar.join("\n");
        format!("\n### The bar\n| work | figure | |\n|---|---|---|\n{rows}\n")
    }

    /// Whether the bar is met everywhere.
    pub fn is_met(&self) -> bool {
        self.bar.iter().all(|row| row.ends_with("pass |"))
    }
}
