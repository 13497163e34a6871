//! Results in the format that was asked for, as they come.

mod masscan_json;
mod ndjson;
mod nmap_xml;
mod service_json;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use jiff::Timestamp;
use portwatch_domain::job::Job;
use portwatch_domain::ports::PortSet;
use portwatch_domain::snapshot::{HostState, Method, PortState};
use portwatch_scanner::Scan;

use super::Format;
use super::seen::{Seen, hosts};

/// What is known of a scan when it starts.
pub struct Run {
    /// The command line.
    pub command: String,
    /// How it scans.
    pub method: Method,
    /// The ports of every host.
    pub ports: PortSet,
    /// When it started.
    pub started_at: Timestamp,
}

/// Prints a scan job by job, and counts. What is printed is whole once [`Output::end`] was called,
/// however early that is.
pub struct Output<W> {
    out: W,
    format: Format,
    run: Run,
    sums: Sums,
    /// Something that has to be told apart from what follows was printed.
    begun: bool,
}

/// How a scan ended.
struct Ending<'a> {
    run: &'a Run,
    sums: &'a Sums,
    /// Not everything was scanned.
    stopped: bool,
    at: Timestamp,
}

impl Ending<'_> {
    /// How long the scan took, in seconds.
    fn took(&self) -> f64 {
        self.at.duration_since(self.run.started_at).as_secs_f64()
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    hosts: usize,
    up: usize,
    down: usize,
    open: usize,
    closed: usize,
    filtered: usize,
    undecided: usize,
    unknown: usize,
    probes: u64,
}

impl Sums {
    fn add(&mut self, seen: &Seen<'_>) {
        let open = seen.with(PortState::Open).count();
        self.hosts += 1;
        self.up += usize::from(seen.report.state == HostState::Up);
        self.down += usize::from(seen.report.state == HostState::Down);
        self.open += open;
        self.closed += seen.closed;
        self.filtered += seen.with(PortState::Filtered).count();
        self.undecided += seen.with(PortState::Unknown).count();
        self.unknown += seen.unknown;
    }
}

impl<W: Write> Output<W> {
    /// Prints what comes before the first host.
    pub fn new(format: Format, mut out: W, run: Run) -> io::Result<Self> {
        match format {
            Format::Table | Format::Ndjson => {}
            Format::NmapXml => nmap_xml::begin(&mut out, &run)?,
            Format::MasscanJson => masscan_json::begin(&mut out)?,
        }
        out.flush()?;
        let (sums, begun) = (Sums::default(), false);
        Ok(Self {
            out,
            format,
            run,
            sums,
            begun,
        })
    }

    /// Prints the hosts of a job.
    pub fn job(&mut self, job: &Job, scan: &Scan) -> io::Result<()> {
        self.sums.probes += scan.probes;
        for seen in hosts(job, scan) {
            self.sums.add(&seen);
            let (out, begun) = (&mut self.out, &mut self.begun);
            match self.format {
                Format::Table => table::host(out, &seen, begun)?,
                Format::Ndjson => ndjson::host(out, &seen)?,
                Format::NmapXml => nmap_xml::host(out, &seen, self.run.method)?,
                Format::MasscanJson => masscan_json::host(out, &seen, begun)?,
            }
        }
        self.out.flush()
    }

    /// Prints what comes after the last host; `stopped` if not everything was scanned.
    pub fn end(mut self, stopped: bool, at: Timestamp) -> io::Result<()> {
        let out = &mut self.out;
        let ending = Ending {
            run: &self.run,
            sums: &self.sums,
            stopped,
            at,
        };
        match self.format {
            Format::Table => table::end(out, &ending)?,
            Format::Ndjson => ndjson::end(out, &ending)?,
            Format::NmapXml => nmap_xml::end(out, &ending)?,
            Format::MasscanJson => masscan_json::end(out)?,
        }
        self.out.flush()
    }
}
