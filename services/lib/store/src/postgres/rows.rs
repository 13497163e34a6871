//! Reads the columns of PostgreSQL's rows.

use portwatch_domain::target::Switching;
use tokio_postgres::{Error, Row};

use crate::columns::{EvidenceColumns, HostColumns, PortColumns, TargetColumns};

/// The columns of `targets AS t` that [`target`] reads.
pub(super) const TARGET: &str = "t.id, t.name, t.group_name, t.tags, t.zone, t.addresses, t.exclude, \
     t.ports, t.expected, t.allowed, t.interval_us, t.cron, t.time_zone, t.closed, t.confirm_open, \
     t.confirm_close, t.confirm_down, t.discovery, t.follow_names, t.rate, t.enabled, t.notify, t.history";

/// The other columns of `targets AS t` that a sync decides by; [`set`] reads the last three.
pub(super) const STANDING: &str = "t.source, t.listed, t.own_enabled, t.own_notify, t.own_history, \
     t.set_enabled, t.set_notify, t.set_history";

/// What somebody has set in the place of what a target's source says.
pub(super) fn set(row: &Row) -> Result<Switching, Error> {
    Ok(Switching {
        enabled: row.try_get("set_enabled")?,
        notify: row.try_get("set_notify")?,
        history: row.try_get("set_history")?,
    })
}

pub(super) fn target(row: &Row) -> Result<TargetColumns, Error> {
    Ok(TargetColumns {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        group_name: row.try_get("group_name")?,
        tags: row.try_get("tags")?,
        zone: row.try_get("zone")?,
        addresses: row.try_get("addresses")?,
        exclude: row.try_get("exclude")?,
        ports: row.try_get("ports")?,
        expected: row.try_get("expected")?,
        allowed: row.try_get("allowed")?,
        interval_us: row.try_get("interval_us")?,
        cron: row.try_get("cron")?,
        time_zone: row.try_get("time_zone")?,
        closed: row.try_get("closed")?,
        confirm_open: row.try_get("confirm_open")?,
        confirm_close: row.try_get("confirm_close")?,
        confirm_down: row.try_get("confirm_down")?,
        discovery: row.try_get("discovery")?,
        follow_names: row.try_get("follow_names")?,
        rate: row.try_get("rate")?,
        enabled: row.try_get("enabled")?,
        notify: row.try_get("notify")?,
        history: row.try_get("history")?,
    })
}

/// The columns of `hosts` that [`host`] reads, by their places.
pub(super) const HOST: &str = "ip, name, state, suspect, since, last_seen, last_run, transition, \
     baseline, confirmed_at, left_behind, soft, flapping, runs, approved, unexpected_open, \
     expected_closed, open_ports";

/// A row of `hosts`.
pub(super) fn host(row: &Row) -> Result<HostColumns, Error> {
    Ok(HostColumns {
        ip: row.try_get(0)?,
        name: row.try_get(1)?,
        state: row.try_get(2)?,
        suspect: row.try_get(3)?,
        since: row.try_get(4)?,
        last_seen: row.try_get(5)?,
        last_run: row.try_get(6)?,
        transition: row.try_get(7)?,
        baseline: row.try_get(8)?,
        confirmed_at: row.try_get(9)?,
        left_behind: row.try_get(10)?,
        soft: row.try_get(11)?,
        flapping: row.try_get(12)?,
        runs: row.try_get(13)?,
        approved: row.try_get(14)?,
        unexpected_open: row.try_get(15)?,
        expected_closed: row.try_get(16)?,
        open_ports: row.try_get(17)?,
    })
}

/// The columns of `ports` that [`port`] reads, by their places: of these rows there are most.
pub(super) const PORT: &str = "ip, protocol, port, state, since, first_seen, last_seen, transition, \
     answer, ttl, rtt_us, probes, service, soft, flapping";

/// A row of `ports`.
pub(super) fn port(row: &Row) -> Result<PortColumns, Error> {
    Ok(PortColumns {
        ip: row.try_get(0)?,
        protocol: row.try_get(1)?,
        port: row.try_get(2)?,
        state: row.try_get(3)?,
        since: row.try_get(4)?,
        first_seen: row.try_get(5)?,
        last_seen: row.try_get(6)?,
        transition: row.try_get(7)?,
        evidence: EvidenceColumns {
            answer: row.try_get(8)?,
            ttl: row.try_get(9)?,
            rtt_us: row.try_get(10)?,
            probes: row.try_get(11)?,
        },
        service: row.try_get(12)?,
        soft: row.try_get(13)?,
        flapping: row.try_get(14)?,
    })
}

pub(super) fn evidence(row: &Row) -> Result<EvidenceColumns, Error> {
    Ok(EvidenceColumns {
        answer: row.try_get("answer")?,
        ttl: row.try_get("ttl")?,
        rtt_us: row.try_get("rtt_us")?,
        probes: row.try_get("probes")?,
    })
}
