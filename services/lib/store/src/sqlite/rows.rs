//! Reads the columns of SQLite's rows. The `SELECT`s that belong to them stand beside each function.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::target::Switching;
use rusqlite::types::{FromSql, Type};
use rusqlite::{Row, Transaction};
use uuid::Uuid;

use super::Problem;
use crate::columns::{
    EvidenceColumns, HostColumns, PortColumns, TargetColumns, Unreadable, number,
};

/// The columns that [`target`] reads.
pub(super) const TARGET: &str = "id, name, group_name, tags, zone, addresses, exclude, ports, expected, \
     allowed, interval_us, cron, time_zone, closed, confirm_open, confirm_close, confirm_down, discovery, \
     follow_names, rate, enabled, notify, history";

/// The other columns of `targets` that a sync decides by; [`set`] reads the last three.
pub(super) const STANDING: &str = "source, listed, own_enabled, own_notify, own_history, set_enabled, \
     set_notify, set_history";

/// What somebody has set in the place of what a target's source says.
pub(super) fn set(row: &Row<'_>) -> rusqlite::Result<Switching> {
    Ok(Switching {
        enabled: row.get("set_enabled")?,
        notify: row.get("set_notify")?,
        history: row.get("set_history")?,
    })
}

pub(super) fn time(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Timestamp> {
    let micros: i64 = row.get(column)?;
    Timestamp::from_microsecond(micros).map_err(|error| unreadable(Type::Integer, error))
}

pub(super) fn optional_time(
    row: &Row<'_>,
    column: &'static str,
) -> rusqlite::Result<Option<Timestamp>> {
    let micros: Option<i64> = row.get(column)?;
    micros
        .map(Timestamp::from_microsecond)
        .transpose()
        .map_err(|error| unreadable(Type::Integer, error))
}

/// A time that is alone in its result.
pub(super) fn timestamp(
    column: &'static str,
    micros: Option<i64>,
) -> Result<Option<Timestamp>, Unreadable> {
    micros
        .map(Timestamp::from_microsecond)
        .transpose()
        .map_err(|error| Unreadable::new(column, error))
}

pub(super) fn uuid(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

pub(super) fn ip(row: &Row<'_>) -> rusqlite::Result<IpAddr> {
    let text: String = row.get("ip")?;
    text.parse()
        .map_err(|error: std::net::AddrParseError| unreadable(Type::Text, error))
}

pub(super) fn unreadable(
    kind: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, kind, Box::new(error))
}

fn list(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(Type::Text, error))
}

/// A list of texts, where there is one.
pub(super) fn optional_list(
    row: &Row<'_>,
    column: &'static str,
) -> rusqlite::Result<Option<Vec<String>>> {
    let text: Option<String> = row.get(column)?;
    let read =
        |text: String| serde_json::from_str(&text).map_err(|error| unreadable(Type::Text, error));
    text.map(read).transpose()
}

/// A list of texts as it stands in a column.
pub(super) fn json(items: &[String]) -> Result<String, Unreadable> {
    serde_json::to_string(items).map_err(|error| Unreadable::new("addresses", error))
}

pub(super) fn target(row: &Row<'_>) -> rusqlite::Result<TargetColumns> {
    Ok(TargetColumns {
        id: uuid(row, "id")?,
        name: row.get("name")?,
        group_name: row.get("group_name")?,
        tags: list(row, "tags")?,
        zone: row.get("zone")?,
        addresses: list(row, "addresses")?,
        exclude: list(row, "exclude")?,
        ports: row.get("ports")?,
        expected: row.get("expected")?,
        allowed: row.get("allowed")?,
        interval_us: row.get("interval_us")?,
        cron: row.get("cron")?,
        time_zone: row.get("time_zone")?,
        closed: list(row, "closed")?,
        confirm_open: row.get("confirm_open")?,
        confirm_close: row.get("confirm_close")?,
        confirm_down: row.get("confirm_down")?,
        discovery: row.get("discovery")?,
        follow_names: row.get("follow_names")?,
        rate: row.get("rate")?,
        enabled: row.get("enabled")?,
        notify: row.get("notify")?,
        history: row.get("history")?,
    })
}

/// A row of `hosts`.
pub(super) fn host(row: &Row<'_>) -> rusqlite::Result<HostColumns> {
    Ok(HostColumns {
        ip: ip(row)?,
        name: row.get("name")?,
        state: row.get("state")?,
        suspect: row.get("suspect")?,
        since: optional_time(row, "since")?,
        last_seen: optional_time(row, "last_seen")?,
        last_run: row.get("last_run")?,
        transition: row.get("transition")?,
        baseline: row.get("baseline")?,
        confirmed_at: optional_time(row, "confirmed_at")?,
        left_behind: row.get("left_behind")?,
        soft: row.get("soft")?,
        flapping: row.get("flapping")?,
        runs: row.get("runs")?,
        approved: row.get("approved")?,
        unexpected_open: row.get("unexpected_open")?,
        expected_closed: row.get("expected_closed")?,
        open_ports: row.get("open_ports")?,
    })
}

/// A row of `ports`.
pub(super) fn port(row: &Row<'_>) -> rusqlite::Result<PortColumns> {
    Ok(PortColumns {
        ip: ip(row)?,
        protocol: row.get("protocol")?,
        port: row.get("port")?,
        state: row.get("state")?,
        since: time(row, "since")?,
        first_seen: time(row, "first_seen")?,
        last_seen: time(row, "last_seen")?,
        transition: row.get("transition")?,
        evidence: evidence(row)?,
        service: row.get("service")?,
        soft: row.get("soft")?,
        flapping: row.get("flapping")?,
    })
}

pub(super) fn evidence(row: &Row<'_>) -> rusqlite::Result<EvidenceColumns> {
    Ok(EvidenceColumns {
        answer: row.get("answer")?,
        ttl: row.get("ttl")?,
        rtt_us: row.get("rtt_us")?,
        probes: row.get("probes")?,
    })
}

/// All rows of a result.
pub(super) fn select<T>(
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Problem> {
    let mut statement = transaction.prepare_cached(sql)?;
    let found = statement.query_map(params, read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The only value of the first row, if there is a row and a value.
pub(super) fn optional<T: FromSql>(
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Option<T>, Problem> {
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    match rows.next()? {
        Some(row) => Ok(row.get(0)?),
        None => Ok(None),
    }
}

/// The result of a `SELECT count(*)`.
pub(super) fn count(
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<u64, Problem> {
    let count: Option<i64> = optional(transaction, sql, params)?;
    Ok(number("count", count.unwrap_or(0))?)
}
