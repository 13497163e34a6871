//! One JSON object a line: of each host every port that is open, filtered, or one of the two, then the rest of its
//! ports in ranges; at the end a summary.

use std::io::{self, Write};
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::super::seen::Seen;
use super::Ending;
use super::service_json::ServiceJson;

/// One open or filtered port.
#[derive(Serialize)]
struct Line<'a> {
    host: &'a str,
    ip: IpAddr,
    port: u16,
    protocol: &'static str,
    state: &'static str,
    reason: String,
    ttl: Option<u8>,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<ServiceJson<'a>>,
}

/// What is left to say of a host after its ports.
#[derive(Serialize)]
struct HostLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    host: &'a str,
    ip: IpAddr,
    state: &'static str,
    /// It answers open on everything, and its ports are not judged.
    suspect: bool,
    /// Ports that are closed, as `--ports` takes them.
    closed: String,
    /// Ports of which nothing can be said.
    unknown: String,
    timestamp: Timestamp,
}

/// The last line.
#[derive(Serialize)]
struct Summary {
    #[serde(rename = "type")]
    kind: &'static str,
    method: &'static str,
    hosts: usize,
    hosts_up: usize,
    open: usize,
    closed: usize,
    filtered: usize,
    open_or_filtered: usize,
    unknown: usize,
    probes: u64,
    complete: bool,
    started_at: Timestamp,
    finished_at: Timestamp,
}

/// The ports of a host.
pub fn host(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    let host = seen.host();
    for row in &seen.rows {
        let line = Line {
            host: &host,
            ip: seen.report.ip,
            port: row.port.number,
            protocol: row.port.protocol.as_str(),
            state: row.state(),
            reason: row.reason(),
            ttl: row.ttl(),
            timestamp: seen.finished_at,
            service: row.service.map(ServiceJson::of),
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    let [closed, unknown] = seen.rest().map(|ports| ports.to_string());
    let line = HostLine {
        kind: "host",
        host: &host,
        ip: seen.report.ip,
        state: seen.report.state.as_str(),
        suspect: seen.report.suspect,
        closed,
        unknown,
        timestamp: seen.finished_at,
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// The summary.
pub fn end(out: &mut impl Write, ending: &Ending<'_>) -> io::Result<()> {
    let (run, sums) = (ending.run, ending.sums);
    let summary = Summary {
        kind: "summary",
        method: run.method.as_str(),
        hosts: sums.hosts,
        hosts_up: sums.up,
        open: sums.open,
        closed: sums.closed,
        filtered: sums.filtered,
        open_or_filtered: sums.undecided,
        unknown: sums.unknown,
        probes: sums.probes,
        complete: !ending.stopped,
        started_at: run.started_at,
        finished_at: ending.at,
    };
    serde_json::to_writer(&mut *out, &summary)?;
    writeln!(out)
}
