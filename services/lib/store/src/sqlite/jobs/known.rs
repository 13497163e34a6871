//! What is known of a target that is claimed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::PortState;
use portwatch_domain::target::TargetId;
use rusqlite::{Row, Transaction, params};

use super::super::{Problem, rows};
use crate::columns::{names, number, parse};
use crate::jobs::KnownTarget;

/// The columns of `targets` that [`kept`] reads; none of `requests` has such a name but `run`.
pub(in crate::sqlite) const KNOWN: &str = "targets.run AS last_run, names, full_at, changes";

/// What the target's own row says.
pub(in crate::sqlite) struct Kept {
    last_run: i64,
    names: String,
    full_at: Option<Timestamp>,
    changes: i64,
}

pub(in crate::sqlite) fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        last_run: row.get("last_run")?,
        names: row.get("names")?,
        full_at: rows::optional_time(row, "full_at")?,
        changes: row.get("changes")?,
    })
}

/// With the open ports of its hosts.
pub(in crate::sqlite) fn known(
    transaction: &Transaction<'_>,
    target: TargetId,
    kept: &Kept,
) -> Result<KnownTarget, Problem> {
    let mut statement = transaction.prepare_cached(
        "SELECT ip, protocol, port FROM ports WHERE target_id = ?1 AND state = ?2",
    )?;
    let open = PortState::Open.as_str();
    let mut found = statement.query(params![target.0.as_bytes(), open])?;
    let mut ports: BTreeMap<_, PortSet> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let protocol: String = row.get("protocol")?;
        let port = Port {
            protocol: parse("protocol", &protocol)?,
            number: row.get("port")?,
        };
        ports.entry(rows::ip(row)?).or_default().insert(port);
    }
    Ok(KnownTarget {
        run: number::<u64>("run", kept.last_run)? + 1,
        open: ports,
        names: names::from_json(&kept.names)?,
        full_at: kept.full_at,
        changes: number("changes", kept.changes)?,
    })
}
