//! Compares what a scan said with what is true, port by port.

use std::net::IpAddr;

use super::address::{Family, host};
use super::carry::Report;
use super::scenario::{Host, Link, Scenario};
use super::truth::{Port, Truth};
use said::{Said, Summary, Told, Verdict};

mod said;

/// What is counted over all hosts.
#[derive(Debug, Default)]
struct Counts {
    /// As a summary says it.
    sums: Summary,
    /// Hosts that say something.
    heard: usize,
    /// Ports without a verdict that could have one.
    unknown: usize,
    /// Ports that answer and are told silent.
    told_silent: usize,
}

/// What is wrong in what a scan said; nothing if all is well.
pub fn judge(
    scenario: &Scenario,
    family: Family,
    link: Link,
    text: &str,
    wire: Option<&Report>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut said = match Said::read(text, &mut faults) {
        Ok(said) => said,
        Err(fault) => return vec![fault],
    };
    let mut counts = Counts::default();
    for block in &scenario.host {
        for number in block.at.iter() {
            let ip = host(block.place(link), number, family);
            match said.hosts.remove(&ip) {
                Some(_) if block.excluded => faults.push(format!("{ip} is excluded, and told")),
                None if block.excluded => {}
                Some(told) => judge_host(scenario, block, ip, told, &mut counts, &mut faults),
                None => faults.push(format!("{ip} is not told")),
            }
        }
    }
    faults.extend(
        said.hosts
            .keys()
            .map(|ip| format!("{ip} was not asked for")),
    );
    judge_sums(scenario, &said.summary, &counts, &mut faults);
    if let Some(report) = wire {
        judge_wire(scenario, report, &mut faults);
    }
    faults
}

fn judge_host(
    scenario: &Scenario,
    block: &Host,
    ip: IpAddr,
    mut told: Told,
    counts: &mut Counts,
    faults: &mut Vec<String>,
) {
    let is_heard = block.is_heard(&scenario.scan);
    counts.sums.hosts += 1;
    counts.sums.hosts_up += usize::from(told.state == "up");
    counts.heard += usize::from(is_heard);
    let is_false = match told.state.as_str() {
        "up" => !is_heard,
        "down" => is_heard,
        "unknown" => false,
        _ => true,
    };
    if is_false {
        let truth = if is_heard { "something" } else { "nothing" };
        faults.push(format!("{ip} is told {:?}, and says {truth}", told.state));
    }
    if told.suspect != block.suspect {
        let not = if told.suspect { "" } else { "not " };
        faults.push(format!("{ip} is {not}told suspect"));
    }
    for port in scenario.scan.all() {
        let Some(verdict) = told.ports.remove(&port) else {
            faults.push(format!("{ip} {port:?} is not told"));
            continue;
        };
        counts.sums.count(verdict);
        let truth = block.truth(port);
        match weigh(port, truth, verdict) {
            Weight::Right | Weight::Silent if !is_heard => faults.push(format!(
                "{ip} {port:?} is told {verdict:?}, and its host says nothing"
            )),
            Weight::Right | Weight::Silent if block.suspect => {
                faults.push(format!(
                    "{ip} {port:?} is told {verdict:?}, and its host is suspect"
                ));
            }
            Weight::Wrong => {
                faults.push(format!(
                    "{ip} {port:?} is told {verdict:?}, and is {truth:?}"
                ));
            }
            Weight::Nothing => counts.unknown += usize::from(is_heard && !block.suspect),
            Weight::Silent => counts.told_silent += 1,
            Weight::Right => {}
        }
    }
    for (port, verdict) in told.ports {
        counts.sums.count(verdict);
        faults.push(format!("{ip} {port:?} was not asked for"));
    }
}

/// How well a verdict agrees with the truth.
enum Weight {
    Right,
    Wrong,
    /// It says nothing, which is permitted so often.
    Nothing,
    /// It says that nothing was heard of a port that answers, which is permitted so often.
    Silent,
}

fn weigh(port: Port, truth: Truth, verdict: Verdict) -> Weight {
    // What a port is called that is as silent as one whose packets are dropped.
    let silent = match port {
        Port::Tcp(_) => Verdict::Filtered,
        Port::Udp(_) => Verdict::OpenOrFiltered,
    };
    match (truth, verdict) {
        (_, Verdict::Unknown) => Weight::Nothing,
        (Truth::Open, Verdict::Open)
        | (Truth::Closed, Verdict::Closed)
        | (Truth::Rejected(_), Verdict::Filtered) => Weight::Right,
        (Truth::Silent, verdict) if verdict == silent => Weight::Right,
        (Truth::Open | Truth::Closed | Truth::Rejected(_), verdict) if verdict == silent => {
            Weight::Silent
        }
        _ => Weight::Wrong,
    }
}

impl Summary {
    fn count(&mut self, verdict: Verdict) {
        let sum = match verdict {
            Verdict::Open => &mut self.open,
            Verdict::Closed => &mut self.closed,
            Verdict::Filtered => &mut self.filtered,
            Verdict::OpenOrFiltered => &mut self.open_or_filtered,
            Verdict::Unknown => &mut self.unknown,
        };
        *sum += 1;
    }
}

fn judge_sums(scenario: &Scenario, summary: &Summary, counts: &Counts, faults: &mut Vec<String>) {
    let expect = &scenario.expect;
    let sums = Summary {
        complete: true,
        ..counts.sums.clone()
    };
    if *summary != sums {
        faults.push(format!("{summary:?} is told, and the lines make {sums:?}"));
    }
    let up = expect.hosts_up.unwrap_or(counts.heard);
    if sums.hosts_up != up {
        faults.push(format!("{} hosts are told up, {up} are", sums.hosts_up));
    }
    for (count, permitted, what) in [
        (counts.unknown, expect.unknown, "unknown"),
        (
            counts.told_silent,
            expect.told_silent,
            "told silent though they answer",
        ),
    ] {
        if count > permitted {
            faults.push(format!("{count} ports are {what}, {permitted} may be"));
        }
    }
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
