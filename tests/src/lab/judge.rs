//! Compares what a scan said with what is true.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::Deserialize;

use super::address::{Family, host};
use super::carry::Report;
use super::scenario::{Host, Link, Scenario, Truth, Unreachable};

/// One line of `--format ndjson`.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// A port that was told.
#[derive(Debug, Deserialize)]
struct Row {
    ip: IpAddr,
    port: u16,
    protocol: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Filtered,
}

#[derive(Debug, Deserialize)]
struct Summary {
    hosts: usize,
    hosts_up: usize,
    closed: usize,
    unknown: usize,
    complete: bool,
}

/// What is counted over all hosts.
#[derive(Debug, Default)]
struct Counts {
    hosts: usize,
    there: usize,
    /// Ports that are closed, or rejected by their host, and of which no line tells.
    may_be_closed: usize,
    /// Ports that are not closed and of which no line tells: they must be unknown.
    must_be_unknown: usize,
    /// Ports of hosts of which nothing need be known.
    unjudged: usize,
    told_silent: usize,
}

/// What is wrong in what a scan said; nothing if all is well.
pub fn judge(
    scenario: &Scenario,
    family: Family,
    link: Link,
    said: &str,
    wire: Option<&Report>,
) -> Vec<String> {
    let (rows, summary) = match read(said) {
        Ok(read) => read,
        Err(fault) => return vec![fault],
    };
    let mut faults = Vec::new();
    let mut told: HashMap<(IpAddr, u16), State> = HashMap::new();
    for row in rows.iter().filter(|row| row.protocol == "tcp") {
        if told.insert((row.ip, row.port), row.state).is_some() {
            faults.push(format!("{} port {} is told twice", row.ip, row.port));
        }
    }
    let mut counts = Counts::default();
    for block in &scenario.host {
        for number in block.at.iter() {
            let ip = host(block.place(link), number, family);
            let mut of_host = BTreeMap::new();
            for port in scenario.scan.ports.iter() {
                if let Some(state) = told.remove(&(ip, port)) {
                    of_host.insert(port, state);
                }
            }
            judge_host(scenario, block, ip, &of_host, &mut counts, &mut faults);
        }
    }
    faults.extend(
        told.keys()
            .map(|(ip, port)| format!("{ip} port {port} was not asked for")),
    );
    judge_summary(scenario, &summary, &counts, &mut faults);
    if let Some(report) = wire {
        judge_wire(scenario, report, &mut faults);
    }
    faults
}

fn read(said: &str) -> Result<(Vec<Row>, Summary), String> {
    let mut rows = Vec::new();
    let mut summary = None;
    for text in said.lines() {
        let wrong = |error: serde_json::Error| format!("{error} in {text}");
        let line: Line = serde_json::from_str(text).map_err(wrong)?;
        let rest = serde_json::Value::Object(line.rest);
        match line.kind.as_deref() {
            None | Some("port") => rows.push(serde_json::from_value(rest).map_err(wrong)?),
            Some("summary") => summary = Some(serde_json::from_value(rest).map_err(wrong)?),
            Some(_) => {}
        }
    }
    Ok((rows, summary.ok_or("there is no summary")?))
}

fn judge_host(
    scenario: &Scenario,
    block: &Host,
    ip: IpAddr,
    told: &BTreeMap<u16, State>,
    counts: &mut Counts,
    faults: &mut Vec<String>,
) {
    if block.excluded {
        faults.extend(
            told.keys()
                .map(|port| format!("{ip} is excluded, and port {port} told")),
        );
        return;
    }
    counts.hosts += 1;
    counts.there += usize::from(!block.gone);
    let unjudged = block.gone || block.suspect;
    for port in scenario.scan.ports.iter() {
        let truth = block.truth(port);
        match (told.get(&port), truth) {
            (Some(State::Open), Truth::Open) if !block.suspect => {}
            (Some(State::Open), _) => {
                faults.push(format!("{ip} port {port} is told open, and is {truth:?}"));
            }
            (Some(State::Filtered), Truth::Open | Truth::Closed) => counts.told_silent += 1,
            (Some(State::Filtered), _) => {}
            (None, _) if unjudged => counts.unjudged += 1,
            // By `connect()`, that a host rejects a port looks the same as a RST.
            (None, Truth::Closed | Truth::Rejected(Unreachable::Port)) => counts.may_be_closed += 1,
            (None, _) => counts.must_be_unknown += 1,
        }
    }
}

/// Closed ports have no lines of their own, only a number.
fn judge_summary(
    scenario: &Scenario,
    summary: &Summary,
    counts: &Counts,
    faults: &mut Vec<String>,
) {
    let expect = &scenario.expect;
    let mut check = |is_well: bool, what: String| {
        if !is_well {
            faults.push(what);
        }
    };
    let unknown = summary.unknown;
    check(summary.complete, "the scan was cut short".into());
    check(
        summary.hosts == counts.hosts,
        format!(
            "{} hosts are told, {} were asked for",
            summary.hosts, counts.hosts
        ),
    );
    let up = expect.hosts_up.unwrap_or(counts.there);
    check(
        summary.hosts_up == up,
        format!("{} hosts are told up, {up} are", summary.hosts_up),
    );
    check(
        summary.closed <= counts.may_be_closed,
        format!(
            "{} ports are told closed, at most {} are",
            summary.closed, counts.may_be_closed
        ),
    );
    check(
        unknown >= counts.must_be_unknown,
        format!(
            "{} ports that are not closed are not told, and only {unknown} told unknown: the others are told closed",
            counts.must_be_unknown
        ),
    );
    let permitted = expect.unknown + counts.unjudged;
    check(
        unknown <= permitted,
        format!("{unknown} ports are unknown, {permitted} may be"),
    );
    check(
        counts.told_silent <= expect.told_silent,
        format!(
            "{} open or closed ports are told filtered, {} may be",
            counts.told_silent, expect.told_silent
        ),
    );
}

fn judge_wire(scenario: &Scenario, report: &Report, faults: &mut Vec<String>) {
    faults.extend(
        report
            .trespasses
            .iter()
            .map(|ip| format!("a packet went to {ip}, which is excluded")),
    );
    let most = report.most_syn_per_100_ms;
    if let Some(permitted) = scenario.expect.most_per_100_ms
        && most > permitted
    {
        faults.push(format!("{most} SYN packets in 100 ms, {permitted} may be"));
    }
}

#[cfg(test)]
mod tests;
