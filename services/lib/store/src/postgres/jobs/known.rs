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
use crate::columns::packed::unpack_open;
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
    let select = transaction
        .prepare_cached(
            "SELECT target_id, ip, packed FROM hosts LEFT JOIN packed_ports USING (target_id, ip) \
             WHERE target_id = ANY($1) AND open_ports > 0",
        )
        .await?;
    let mut open = Open::new();
    let mut uncopied = Vec::new();
    for row in transaction.query(&select, &[&ids]).await? {
        let host = (row.try_get(0)?, row.try_get(1)?);
        let packed: Option<&[u8]> = row.try_get(2)?;
        match packed.and_then(unpack_open) {
            Some(ports) => {
                open.insert(host, ports);
            }
            None => uncopied.push(host),
        }
    }
    if !uncopied.is_empty() {
        open.extend(from_rows(transaction, &uncopied).await?);
    }
    let mut by_target: HashMap<Uuid, BTreeMap<IpAddr, PortSet>> = HashMap::new();
    for ((target, ip), ports) in open {
        by_target.entry(target).or_default().insert(ip, ports);
    }
    for (target, known) in targets {
        known.open = by_target.remove(&target.0).unwrap_or_default();
    }
    Ok(())
}

/// The open ports of hosts.
type Open = HashMap<(Uuid, IpAddr), PortSet>;

/// The open ports of hosts without a copy of their ports.
async fn from_rows(
    transaction: &Transaction<'_>,
    hosts: &[(Uuid, IpAddr)],
) -> Result<Open, Problem> {
    let (targets, ips): (Vec<_>, Vec<_>) = hosts.iter().copied().unzip();
    let select = transaction
        .prepare_cached(
            "SELECT target_id, ip, protocol, port FROM ports WHERE state = $3 \
             AND target_id = ANY($1) AND ip = ANY($2) \
             AND (target_id, ip) IN (SELECT * FROM unnest($1, $2))",
        )
        .await?;
    let mut open = Open::new();
    let is_open = PortState::Open.as_str();
    for row in transaction
        .query(&select, &[&targets, &ips, &is_open])
        .await?
    {
        let port = Port {
            protocol: parse("protocol", row.try_get("protocol")?)?,
            number: number("port", row.try_get::<_, i32>("port")?.into())?,
        };
        let host = (row.try_get("target_id")?, row.try_get("ip")?);
        open.entry(host).or_default().insert(port);
    }
    Ok(open)
}
