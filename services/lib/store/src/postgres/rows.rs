//! Reads the columns of PostgreSQL's rows.

use tokio_postgres::{Error, Row};

use crate::columns::{EvidenceColumns, HostColumns, PortColumns, TargetColumns};

/// The columns of `targets AS t` that [`target`] reads.
pub(super) const TARGET: &str = "t.id, t.name, t.group_name, t.zone, t.addresses, t.exclude, \
     t.ports, t.expected, t.interval_us, t.rate, t.enabled, t.notify, t.history";

pub(super) fn target(row: &Row) -> Result<TargetColumns, Error> {
    Ok(TargetColumns {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        group_name: row.try_get("group_name")?,
        zone: row.try_get("zone")?,
        addresses: row.try_get("addresses")?,
        exclude: row.try_get("exclude")?,
        ports: row.try_get("ports")?,
        expected: row.try_get("expected")?,
        interval_us: row.try_get("interval_us")?,
        rate: row.try_get("rate")?,
        enabled: row.try_get("enabled")?,
        notify: row.try_get("notify")?,
        history: row.try_get("history")?,
    })
}

/// A row of `hosts`.
pub(super) fn host(row: &Row) -> Result<HostColumns, Error> {
    Ok(HostColumns {
        ip: row.try_get("ip")?,
        name: row.try_get("name")?,
        state: row.try_get("state")?,
        suspect: row.try_get("suspect")?,
        since: row.try_get("since")?,
        last_seen: row.try_get("last_seen")?,
        last_run: row.try_get("last_run")?,
        transition: row.try_get("transition")?,
        baseline: row.try_get("baseline")?,
    })
}

/// A row of `ports`.
pub(super) fn port(row: &Row) -> Result<PortColumns, Error> {
    Ok(PortColumns {
        ip: row.try_get("ip")?,
        protocol: row.try_get("protocol")?,
        port: row.try_get("port")?,
        state: row.try_get("state")?,
        since: row.try_get("since")?,
        first_seen: row.try_get("first_seen")?,
        last_seen: row.try_get("last_seen")?,
        transition: row.try_get("transition")?,
        evidence: evidence(row)?,
        service: row.try_get("service")?,
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
