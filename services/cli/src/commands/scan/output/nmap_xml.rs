//! The XML of `nmap -oX` (nmap.dtd, output version 1.05), for the programs that read that.
//!
//! Two things differ: the scanner is called `portwatch`, because that is what it was, and ports
//! without a verdict are counted as `unknown`.

mod escape;
mod services;

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use portwatch_domain::ports::Protocol;
use portwatch_domain::snapshot::{Answer, HostState, Method, PortState};

use super::super::seen::{Row, Seen};
use super::{Ending, Run, Sums};
use escape::escaped;

/// The version of the format.
const OUTPUT_VERSION: &str = "1.05";
/// More filtered ports of a host than this are only counted, as nmap does.
const LISTED: usize = 25;

/// The head, up to the first host.
pub fn begin(out: &mut impl Write, run: &Run) -> io::Result<()> {
    let (start, startstr) = (run.started_at.as_second(), words(run.started_at));
    let (args, version) = (escaped(&run.command), env!("CARGO_PKG_VERSION"));
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE nmaprun>\n\
         <nmaprun scanner=\"portwatch\" args=\"{args}\" start=\"{start}\" startstr=\"{startstr}\" version=\"{version}\" xmloutputversion=\"{OUTPUT_VERSION}\">"
    )?;
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let ranges = run.ports.ranges(protocol);
        if ranges.is_empty() {
            continue;
        }
        let kind = match protocol {
            Protocol::Tcp => run.method.as_str(),
            Protocol::Udp => "udp",
        };
        let count: usize = ranges
            .iter()
            .map(|&(low, high)| usize::from(high - low) + 1)
            .sum();
        let services: Vec<String> = ranges.iter().map(|&range| written(range)).collect();
        let services = services.join(",");
        writeln!(
            out,
            "<scaninfo type=\"{kind}\" protocol=\"{protocol}\" numservices=\"{count}\" services=\"{services}\"/>"
        )?;
    }
    writeln!(out, "<verbose level=\"0\"/>\n<debugging level=\"0\"/>")
}

fn written((low, high): (u16, u16)) -> String {
    if low == high {
        low.to_string()
    } else {
        format!("{low}-{high}")
    }
}

/// A host that is up or down; of others there is nothing to say.
pub fn host(out: &mut impl Write, seen: &Seen<'_>, method: Method) -> io::Result<()> {
    let report = seen.report;
    if report.state == HostState::Unknown {
        return Ok(());
    }
    let (start, end) = (seen.started_at.as_second(), seen.finished_at.as_second());
    let comment = if report.suspect {
        " comment=\"answers open on everything (SYN proxy or tarpit): its ports are not judged\""
    } else {
        ""
    };
    let (reason, ttl) = why(seen, method);
    let kind = if report.ip.is_ipv4() { "ipv4" } else { "ipv6" };
    writeln!(
        out,
        "<host starttime=\"{start}\" endtime=\"{end}\"{comment}><status state=\"{}\" reason=\"{reason}\" reason_ttl=\"{ttl}\"/>\n\
         <address addr=\"{}\" addrtype=\"{kind}\"/>",
        report.state, report.ip
    )?;
    if let Some(name) = &report.name {
        let name = escaped(name);
        writeln!(
            out,
            "<hostnames>\n<hostname name=\"{name}\" type=\"user\"/>\n</hostnames>"
        )?;
    } else {
        writeln!(out, "<hostnames>\n</hostnames>")?;
    }
    if report.state == HostState::Up {
        ports(out, seen, method)?;
    }
    writeln!(out, "</host>")
}

/// Why a host is what it is: the answer of one of its ports.
fn why(seen: &Seen<'_>, method: Method) -> (&'static str, u8) {
    let open = seen.with(PortState::Open).next();
    match open {
        Some(row) => (reason(seen, row), row.ttl().unwrap_or(0)),
        None if seen.report.state == HostState::Down => ("no-response", 0),
        None if seen.report.suspect => ("syn-ack", 0),
        None if seen.closed > seen.closed_udp => (refused(method), 0),
        None if seen.closed > 0 => ("port-unreach", 0),
        None => ("unknown-response", 0),
    }
}

fn ports(out: &mut impl Write, seen: &Seen<'_>, method: Method) -> io::Result<()> {
    writeln!(out, "<ports>")?;
    if seen.closed > 0 {
        let tcp = (refused(method), seen.closed - seen.closed_udp);
        let mut reasons = BTreeMap::from([tcp, ("port-unreach", seen.closed_udp)]);
        reasons.retain(|_, count| *count > 0);
        extra(out, "closed", &reasons, seen.closed)?;
    }
    let mut listed = vec![PortState::Open];
    for state in [PortState::Filtered, PortState::Unknown] {
        let count = seen.with(state).count();
        if count <= LISTED {
            listed.push(state);
            continue;
        }
        let mut reasons = BTreeMap::new();
        for row in seen.with(state) {
            *reasons.entry(reason(seen, row)).or_insert(0) += 1;
        }
        let word = seen.with(state).next().map_or("", Row::state);
        extra(out, word, &reasons, count)?;
    }
    if seen.unknown > 0 {
        extra(out, "unknown", &BTreeMap::new(), seen.unknown)?;
    }
    for row in &seen.rows {
        if listed.contains(&row.state) {
            port(out, seen, row)?;
        }
    }
    writeln!(out, "</ports>")
}

/// Ports that are only counted.
fn extra(
    out: &mut impl Write,
    state: &str,
    reasons: &BTreeMap<&str, usize>,
    count: usize,
) -> io::Result<()> {
    writeln!(out, "<extraports state=\"{state}\" count=\"{count}\">")?;
    for (reason, count) in reasons {
        writeln!(out, "<extrareasons reason=\"{reason}\" count=\"{count}\"/>")?;
    }
    writeln!(out, "</extraports>")
}

fn port(out: &mut impl Write, seen: &Seen<'_>, row: &Row<'_>) -> io::Result<()> {
    let (protocol, number) = (row.port.protocol, row.port.number);
    let (state, reason, ttl) = (row.state(), reason(seen, row), row.ttl().unwrap_or(0));
    write!(
        out,
        "<port protocol=\"{protocol}\" portid=\"{number}\"><state state=\"{state}\" reason=\"{reason}\" reason_ttl=\"{ttl}\"/>"
    )?;
    services::write(out, row)?;
    writeln!(out, "</port>")
}

/// The answer in nmap's word for it.
fn reason(seen: &Seen<'_>, row: &Row<'_>) -> &'static str {
    let answer = row.evidence.map(|evidence| evidence.answer);
    match answer {
        None | Some(Answer::NoResponse) => "no-response",
        Some(Answer::SynAck) => "syn-ack",
        Some(Answer::Rst) => "reset",
        Some(Answer::UdpReply) => "udp-response",
        Some(Answer::IcmpUnreachable(code)) => match (code, seen.report.ip.is_ipv6()) {
            (0, _) => "net-unreach",
            (1, false) | (3, true) => "host-unreach",
            (2, false) => "proto-unreach",
            (3, false) | (4, true) => "port-unreach",
            (9, false) => "net-prohibited",
            (10, false) => "host-prohibited",
            (13, false) | (1, true) => "admin-prohibited",
            _ => "dest-unreach",
        },
    }
}

/// nmap's word for a closed port's answer.
const fn refused(method: Method) -> &'static str {
    match method {
        Method::Syn => "reset",
        Method::Connect => "conn-refused",
    }
}

/// The end of the document.
pub fn end(out: &mut impl Write, ending: &Ending<'_>) -> io::Result<()> {
    let (time, timestr) = (ending.at.as_second(), words(ending.at));
    let elapsed = ending.took();
    let Sums { hosts, up, .. } = *ending.sums;
    let exit = if ending.stopped {
        "exit=\"error\" errormsg=\"stopped early: not everything was scanned\""
    } else {
        "exit=\"success\""
    };
    // The two have to add up to all: of a host that is not up, nothing was heard.
    let down = hosts - up;
    writeln!(
        out,
        "<runstats><finished time=\"{time}\" timestr=\"{timestr}\" summary=\"Portwatch done at {timestr}; {hosts} addresses ({up} up) scanned in {elapsed:.2} seconds\" elapsed=\"{elapsed:.2}\" {exit}/><hosts up=\"{up}\" down=\"{down}\" total=\"{hosts}\"/>\n</runstats>\n</nmaprun>"
    )
}

/// A time as C's `ctime` writes it, in UTC.
fn words(at: Timestamp) -> String {
    at.strftime("%a %b %e %H:%M:%S %Y").to_string()
}
