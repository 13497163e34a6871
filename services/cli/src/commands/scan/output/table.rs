//! For people: open ports in columns, the rest in sum.

use std::io::{self, Write};

use portwatch_domain::ports::service_name;
use portwatch_domain::snapshot::{PortState, Service};

use super::super::seen::{OPEN_OR_FILTERED, Row, Seen};
use super::{Ending, Sums};
use crate::printable::printable;

/// The open ports of a host; the head of the table before the first of all.
pub fn host(out: &mut impl Write, seen: &Seen<'_>, begun: &mut bool) -> io::Result<()> {
    let name = printable(&seen.host());
    if seen.report.suspect {
        return writeln!(
            out,
            "{name}: answers open on everything (SYN proxy or tarpit): its ports are not judged"
        );
    }
    for row in seen.with(PortState::Open) {
        if !*begun {
            let head = ["HOST", "PORT", "STATE", "SERVICE"];
            let [host, port, state, service] = head;
            writeln!(out, "{host:<39} {port:<10} {state:<6} {service:<20} REASON")?;
            *begun = true;
        }
        let port = format!("{}/{}", row.port.number, row.port.protocol);
        let (state, reason) = (row.state, row.reason());
        let service = printable(name_of(row));
        write!(
            out,
            "{name:<39} {port:<10} {state:<6} {service:<20} {reason}"
        )?;
        let described = row.service.and_then(Service::description);
        match described {
            Some(text) => writeln!(out, "  {}", printable(text))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// What its answer shows, else the usual service on that port.
fn name_of<'a>(row: &Row<'a>) -> &'a str {
    let proven = row.service.and_then(Service::proven_name);
    proven.or(service_name(row.port)).unwrap_or("unknown")
}

/// The last line.
pub fn end(out: &mut impl Write, ending: &Ending<'_>) -> io::Result<()> {
    let (took, sums) = (ending.took(), ending.sums);
    let stopped = if ending.stopped {
        "stopped early: "
    } else {
        ""
    };
    let Sums {
        hosts,
        up,
        open,
        closed,
        filtered,
        ..
    } = sums;
    let undecided = if sums.undecided > 0 {
        format!(", {} {OPEN_OR_FILTERED}", sums.undecided)
    } else {
        String::new()
    };
    let unknown = if sums.unknown > 0 {
        format!(", {} unknown", sums.unknown)
    } else {
        String::new()
    };
    let method = ending.run.method;
    writeln!(
        out,
        "{stopped}{up} of {hosts} hosts answered; ports: {open} open, {closed} closed, {filtered} filtered{undecided}{unknown} ({took:.1} s, {method})"
    )
}
