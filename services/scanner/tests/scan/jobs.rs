//! Jobs for tests, and how to read what comes of them.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::job::{Job, JobHost, JobId, Priority};
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{HostReport, PortState};
use portwatch_domain::target::{TargetId, Zone};
use portwatch_scanner::Progress;

/// A job of these hosts, with their ports known open.
pub fn job(hosts: &[(IpAddr, PortSet)], ports: PortSet) -> Job {
    let target = TargetId::derive("tests", "scanner");
    let now = Timestamp::now();
    Job {
        id: JobId::derive(target, 1, 0),
        target,
        run: 1,
        index: 0,
        zone: Zone::default(),
        priority: Priority::Normal,
        created_at: now,
        deadline: now + SignedDuration::from_mins(2),
        rate: 1000,
        hosts: hosts
            .iter()
            .map(|(ip, known_open)| JobHost {
                ip: *ip,
                name: None,
                known_open: known_open.clone(),
            })
            .collect(),
        ports,
        exclude: Vec::new(),
    }
}

/// Listens to no progress.
pub fn nothing(_: Progress) {}

/// What a report says of a port; `None` where it says nothing.
pub fn state(report: &HostReport, port: u16) -> Option<PortState> {
    let port = Port::tcp(port);
    let told = report.ports.iter().find(|verdict| verdict.port == port);
    if !report.coverage.contains(port) {
        None
    } else if let Some(verdict) = told {
        Some(verdict.state)
    } else if report.filtered.contains(port) {
        Some(PortState::Filtered)
    } else {
        Some(PortState::Closed)
    }
}

/// The TCP ports on which anything on this machine listens, on any IPv4 address.
pub fn listening_anywhere() -> Vec<u16> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let listening = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        (fields.nth(1)? == "0A").then(|| u16::from_str_radix(local.split_once(':')?.1, 16).ok())?
    };
    table.lines().skip(1).filter_map(listening).collect()
}
