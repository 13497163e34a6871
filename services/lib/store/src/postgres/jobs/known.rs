//! What is known of a target that is claimed.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use deadpool_postgres::Transaction;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::PortState;
use portwatch_domain::target::TargetId;
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::Problem;
use crate::columns::{names, number, parse};
use crate::jobs::KnownTarget;

/// The columns of `targets AS t` that [`known`] reads.
pub(in crate::postgres) const KNOWN: &str = "t.run, t.names, t.full_at, t.changes";

/// What the target's own row says.
pub(in crate::postgres) fn known(row: &Row) -> Result<KnownTarget, Problem> {
    Ok(KnownTarget {
        run: number::<u64>("run", row.try_get("run")?)? + 1,
        open: BTreeMap::new(),
        names: names::from_json(row.try_get("names")?)?,
        full_at: row.try_get("full_at")?,
        changes: number("changes", row.try_get("changes")?)?,
    })
}

/// Adds the open ports of these targets.
pub(in crate::postgres) async fn with_open_ports<'a>(
    transaction: &Transaction<'_>,
    targets: impl Iterator<Item = (TargetId, &'a mut KnownTarget)>,
) -> Result<(), Problem> {
    let targets: Vec<_> = targets.collect();
    let ids: Vec<Uuid> = targets.iter().map(|(target, _)| target.0).collect();
    let mut open: HashMap<Uuid, BTreeMap<IpAddr, PortSet>> = HashMap::new();
    let select = transaction
        .prepare_cached(
            "SELECT target_id, ip, protocol, port FROM ports \
             WHERE target_id = ANY($1) AND state = $2",
        )
        .await?;
    let found = transaction
        .query(&select, &[&ids, &PortState::Open.as_str()])
        .await?;
    for row in found {
        let port = Port {
            protocol: parse("protocol", row.try_get("protocol")?)?,
            number: number("port", row.try_get::<_, i32>("port")?.into())?,
        };
        let hosts = open.entry(row.try_get("target_id")?).or_default();
        hosts.entry(row.try_get("ip")?).or_default().insert(port);
    }
    for (target, known) in targets {
        known.open = open.get(&target.0).cloned().unwrap_or_default();
    }
    Ok(())
}
