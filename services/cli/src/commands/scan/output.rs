//! Results as a table or as ndjson.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::job::Job;
use portwatch_domain::ports::{Port, service_name};
use portwatch_domain::snapshot::{Evidence, HostReport, HostState, Method, PortState};
use portwatch_scanner::Scan;
use serde::Serialize;

use super::Format;

/// Prints a scan job by job, and counts.
pub struct Output {
    format: Format,
    summary: Summary,
    head: bool,
}

/// The last line.
#[derive(Debug, Serialize)]
struct Summary {
    #[serde(rename = "type")]
    kind: &'static str,
    method: &'static str,
    hosts: usize,
    hosts_up: usize,
    open: usize,
    closed: usize,
    filtered: usize,
    unknown: usize,
    probes: u64,
    complete: bool,
    started_at: Timestamp,
    finished_at: Timestamp,
}

/// One open or filtered port.
#[derive(Debug, Serialize)]
struct Row {
    host: String,
    ip: IpAddr,
    port: u16,
    protocol: &'static str,
    state: &'static str,
    reason: String,
    ttl: Option<u8>,
    timestamp: Timestamp,
}

impl Output {
    /// Nothing printed yet.
    pub fn new(format: Format, method: Method) -> Self {
        let now = Timestamp::now();
        let summary = Summary {
            kind: "summary",
            method: method.as_str(),
            hosts: 0,
            hosts_up: 0,
            open: 0,
            closed: 0,
            filtered: 0,
            unknown: 0,
            probes: 0,
            complete: false,
            started_at: now,
            finished_at: now,
        };
        Self {
            format,
            summary,
            head: false,
        }
    }

    /// Prints the hosts of a job.
    pub fn job(&mut self, job: &Job, scan: &Scan) -> io::Result<()> {
        self.summary.probes += scan.probes;
        for report in &scan.hosts {
            let rejected = scan
                .rejected
                .iter()
                .filter(|rejected| rejected.ip == report.ip);
            let rows = rows(
                report,
                &rejected.map(|r| (r.port, r.evidence)).collect::<Vec<_>>(),
            );
            self.count(job, report, &rows);
            match self.format {
                Format::Ndjson => ndjson(&rows)?,
                Format::Table => self.table(report, &rows)?,
            }
        }
        Ok(())
    }

    fn count(&mut self, job: &Job, report: &HostReport, rows: &[Row]) {
        let of = |state: PortState| {
            rows.iter()
                .filter(|row| row.state == state.as_str())
                .count()
        };
        let summary = &mut self.summary;
        summary.hosts += 1;
        summary.hosts_up += usize::from(report.state == HostState::Up);
        summary.open += of(PortState::Open);
        summary.filtered += of(PortState::Filtered);
        summary.closed += report.coverage.len() - of(PortState::Open) - of(PortState::Filtered);
        summary.unknown += job.ports.len() - report.coverage.len();
    }

    fn table(&mut self, report: &HostReport, rows: &[Row]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if report.suspect {
            return writeln!(
                out,
                "{}: answers open on everything (SYN proxy or tarpit): its ports are not judged",
                report.ip
            );
        }
        for row in rows
            .iter()
            .filter(|row| row.state == PortState::Open.as_str())
        {
            if !self.head {
                writeln!(
                    out,
                    "{:<39} {:<10} {:<6} {:<20} REASON",
                    "HOST", "PORT", "STATE", "SERVICE"
                )?;
                self.head = true;
            }
            let port = format!("{}/{}", row.port, row.protocol);
            let service = service_name(Port::tcp(row.port)).unwrap_or("unknown");
            writeln!(
                out,
                "{:<39} {port:<10} {:<6} {service:<20} {}",
                row.host, row.state, row.reason
            )?;
        }
        Ok(())
    }

    /// Prints the last line.
    pub fn summary(mut self, stopped: bool) -> io::Result<()> {
        self.summary.complete = !stopped;
        self.summary.finished_at = Timestamp::now();
        let Summary {
            hosts,
            hosts_up,
            open,
            closed,
            filtered,
            unknown,
            method,
            ..
        } = self.summary;
        let mut out = io::stdout().lock();
        if self.format == Format::Ndjson {
            serde_json::to_writer(&mut out, &self.summary)?;
            return writeln!(out);
        }
        let took = self
            .summary
            .finished_at
            .duration_since(self.summary.started_at)
            .as_secs_f64();
        let silent = if unknown > 0 {
            format!(", {unknown} unknown")
        } else {
            String::new()
        };
        let stopped = if stopped { "stopped early: " } else { "" };
        writeln!(
            out,
            "{stopped}{hosts_up} of {hosts} hosts answered; ports: {open} open, {closed} closed, {filtered} filtered{silent} ({took:.1} s, {method})"
        )
    }
}

fn ndjson(rows: &[Row]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for row in rows {
        serde_json::to_writer(&mut out, row)?;
        writeln!(out)?;
    }
    out.flush()
}

/// The open and filtered ports of a host, by port.
fn rows(report: &HostReport, rejected: &[(Port, Evidence)]) -> Vec<Row> {
    let timestamp = Timestamp::now();
    let host = report.name.clone().unwrap_or_else(|| report.ip.to_string());
    let rejected: HashMap<Port, Evidence> = rejected.iter().copied().collect();
    let row = |port: Port, state: PortState, evidence: Option<&Evidence>| Row {
        host: host.clone(),
        ip: report.ip,
        port: port.number,
        protocol: port.protocol.as_str(),
        state: state.as_str(),
        reason: evidence.map_or_else(
            || "no-response".to_owned(),
            |evidence| evidence.answer.to_string(),
        ),
        ttl: evidence.and_then(|evidence| evidence.ttl),
        timestamp,
    };
    let mut rows: Vec<Row> = report
        .ports
        .iter()
        .filter(|verdict| verdict.state != PortState::Closed)
        .map(|verdict| row(verdict.port, verdict.state, Some(&verdict.evidence)))
        .collect();
    rows.extend(
        report
            .filtered
            .iter()
            .map(|port| row(port, PortState::Filtered, rejected.get(&port))),
    );
    rows.sort_by_key(|row| (row.protocol, row.port));
    rows
}
