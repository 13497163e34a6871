//! What a scan said with `--format ndjson`.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::Deserialize;

use crate::lab::truth::Port;

/// All that was said.
#[derive(Debug, Default)]
pub struct Said {
    /// Of each host.
    pub hosts: HashMap<IpAddr, Told>,
    /// At the end.
    pub summary: Summary,
}

/// What was said of one host.
#[derive(Debug, Default)]
pub struct Told {
    /// Its state; empty until its own line came.
    pub state: String,
    /// Whether it answers open on everything.
    pub suspect: bool,
    /// Of each port.
    pub ports: BTreeMap<Port, Verdict>,
}

/// What was said of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is open.
    Open,
    /// It is closed.
    Closed,
    /// It is filtered.
    Filtered,
    /// Nothing came from this UDP port.
    #[serde(rename = "open|filtered")]
    OpenOrFiltered,
    /// Nothing can be said.
    Unknown,
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Summary {
    /// How many hosts are told.
    pub hosts: usize,
    /// And how many of them up.
    pub hosts_up: usize,
    /// How many ports are told open.
    pub open: usize,
    /// Closed.
    pub closed: usize,
    /// Filtered.
    pub filtered: usize,
    /// Open or filtered.
    pub open_or_filtered: usize,
    /// And of how many nothing can be said.
    pub unknown: usize,
    /// Whether the scan was not cut short.
    pub complete: bool,
}

#[derive(Deserialize)]
struct Row {
    ip: IpAddr,
    port: u16,
    protocol: String,
    state: Verdict,
}

#[derive(Deserialize)]
struct HostLine {
    ip: IpAddr,
    state: String,
    suspect: bool,
    closed: String,
    unknown: String,
}

impl Said {
    /// Reads all lines. What one of them says twice is added to `faults`.
    pub fn read(text: &str, faults: &mut Vec<String>) -> Result<Self, String> {
        let mut said = Self::default();
        let mut has_ended = false;
        for line in text.lines() {
            let wrong = |error: serde_json::Error| format!("{error} in {line}");
            let value: serde_json::Value = serde_json::from_str(line).map_err(wrong)?;
            match value["type"].as_str() {
                None => said.row(&serde_json::from_value(value).map_err(wrong)?, faults)?,
                Some("host") => {
                    said.host(&serde_json::from_value(value).map_err(wrong)?, faults)?;
                }
                Some("summary") => {
                    said.summary = serde_json::from_value(value).map_err(wrong)?;
                    has_ended = true;
                }
                Some(other) => return Err(format!("a line of type {other:?}: {line}")),
            }
        }
        has_ended
            .then_some(said)
            .ok_or("there is no summary".into())
    }

    fn row(&mut self, row: &Row, faults: &mut Vec<String>) -> Result<(), String> {
        let port = match row.protocol.as_str() {
            "tcp" => Port::Tcp(row.port),
            "udp" => Port::Udp(row.port),
            other => return Err(format!("{} port {} is of {other:?}", row.ip, row.port)),
        };
        self.note(row.ip, port, row.state, faults);
        Ok(())
    }

    fn host(&mut self, line: &HostLine, faults: &mut Vec<String>) -> Result<(), String> {
        let told = self.hosts.entry(line.ip).or_default();
        if !told.state.is_empty() {
            faults.push(format!("{} has two lines", line.ip));
        }
        told.state.clone_from(&line.state);
        told.suspect = line.suspect;
        for (ports, verdict) in [
            (&line.closed, Verdict::Closed),
            (&line.unknown, Verdict::Unknown),
        ] {
            for port in listed(ports)? {
                self.note(line.ip, port, verdict, faults);
            }
        }
        Ok(())
    }

    fn note(&mut self, ip: IpAddr, port: Port, verdict: Verdict, faults: &mut Vec<String>) {
        let ports = &mut self.hosts.entry(ip).or_default().ports;
        if let Some(before) = ports.insert(port, verdict) {
            faults.push(format!("{ip} {port:?} is told {before:?} and {verdict:?}"));
        }
    }
}

/// The ports of a list as `--ports` takes it: `1-79,81,udp:53`.
fn listed(text: &str) -> Result<Vec<Port>, String> {
    let wrong = || format!("{text:?} is no list of ports");
    let mut ports = Vec::new();
    for item in text.split(',').filter(|item| !item.is_empty()) {
        let (kind, range): (fn(u16) -> Port, _) = match item.strip_prefix("udp:") {
            Some(range) => (Port::Udp, range),
            None => (Port::Tcp, item),
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: u16 = first.parse().map_err(|_| wrong())?;
        let last: u16 = last.parse().map_err(|_| wrong())?;
        ports.extend((first..=last).map(kind));
    }
    Ok(ports)
}
