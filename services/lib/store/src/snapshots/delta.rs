//! The rows that a decision changes, so that only those are written.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use portwatch_domain::change::{Change, HostRecord, PortRecord};
use portwatch_domain::ports::Port;

use super::{Decide, Decided, Loaded, SnapshotPart};
use crate::columns::{HostColumns, PortColumns};
use crate::history::{HistoryRow, Subject};

/// Rows to write and rows to delete.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    pub(crate) hosts: Vec<HostColumns>,
    pub(crate) ports: Vec<PortColumns>,
    pub(crate) gone: Vec<(IpAddr, Port)>,
}

/// The records of the hosts asked for, in that order; a new one where nothing is stored.
pub(crate) fn in_order(stored: &BTreeMap<IpAddr, HostRecord>, asked: &[IpAddr]) -> Vec<HostRecord> {
    asked
        .iter()
        .map(|&ip| {
            stored
                .get(&ip)
                .cloned()
                .unwrap_or_else(|| HostRecord::new(ip))
        })
        .collect()
}

/// Runs the decision. A panic in it becomes an error here, so that the transaction is rolled back
/// and the connection stays usable.
pub(crate) fn decide(decide: Decide, loaded: Loaded) -> Result<Decided, String> {
    catch_unwind(AssertUnwindSafe(|| decide(loaded)))
        .map_err(|_| "the decision on a snapshot panicked".to_owned())
}

/// Compares what was stored with what was decided. The error names a host that was decided without
/// having been loaded, or twice: saving it could overwrite what nobody has looked at.
pub(crate) fn delta(
    stored: &BTreeMap<IpAddr, HostRecord>,
    asked: &[IpAddr],
    decided: &[HostRecord],
) -> Result<Delta, String> {
    let mut open_to: HashSet<IpAddr> = asked.iter().copied().collect();
    let mut delta = Delta::default();
    for after in decided {
        if !open_to.remove(&after.ip) {
            return Err(format!(
                "the decision holds host {} twice, or without having loaded it",
                after.ip
            ));
        }
        let before = stored.get(&after.ip);
        let columns = HostColumns::from(after);
        if before.map(HostColumns::from).as_ref() != Some(&columns) {
            delta.hosts.push(columns);
        }
        for (&port, record) in &after.ports {
            let known = before.and_then(|before| before.ports.get(&port));
            if known.is_none_or(|known| is_written(known, record)) {
                delta.ports.push(PortColumns::new(after.ip, port, record));
            }
        }
        let known = before.into_iter().flat_map(|before| before.ports.keys());
        let gone = known.filter(|port| !after.ports.contains_key(port));
        delta.gone.extend(gone.map(|&port| (after.ip, port)));
    }
    Ok(delta)
}

/// The transitions as rows of the history.
pub(crate) fn history(part: &SnapshotPart, found: Vec<(IpAddr, Change)>) -> Vec<HistoryRow> {
    let row = |(ip, change)| HistoryRow {
        about: Subject::Host {
            target: part.target,
            ip,
        },
        run: Some(part.run),
        job: Some(part.job),
        change,
    };
    found.into_iter().map(row).collect()
}

/// Whether the port's own row must be written. A later confirmation alone stands in the host's row; an
/// earlier one could not be told from it.
fn is_written(before: &PortRecord, after: &PortRecord) -> bool {
    let PortRecord {
        state,
        since,
        first_seen,
        last_seen,
        transition,
        evidence,
        service,
        soft,
        flapping,
    } = before;
    after.last_seen < *last_seen
        || (state, since, first_seen) != (&after.state, &after.since, &after.first_seen)
        || (transition, evidence, service) != (&after.transition, &after.evidence, &after.service)
        || (soft, flapping) != (&after.soft, &after.flapping)
}
