//! What is expected of hosts, in SQLite.

use async_trait::async_trait;
use portwatch_domain::change::Findings;
use portwatch_domain::target::TargetId;
use rusqlite::{Row, Transaction, params};

use super::{Problem, Sqlite, rows, snapshots};
use crate::StoreError;
use crate::columns::{HostColumns, assemble, number};
use crate::policy::{Approval, Approved, FindingTotals, Policies, Unexpected, approve};

#[async_trait]
impl Policies for Sqlite {
    async fn approve(&self, approval: Approval) -> Result<Vec<Approved>, StoreError> {
        self.transaction("approving ports", move |transaction| {
            set(transaction, &approval)
        })
        .await
    }

    async fn unexpected(
        &self,
        target: Option<TargetId>,
        limit: u32,
    ) -> Result<Vec<Unexpected>, StoreError> {
        self.transaction("reading what is not as expected", move |transaction| {
            let target = target.as_ref().map(|target| target.0.as_bytes());
            rows::select(
                transaction,
                "SELECT target_id, t.name AS target_name, ip, h.name, unexpected_open, expected_closed \
                 FROM hosts AS h JOIN targets AS t ON t.id = h.target_id AND t.listed \
                 WHERE (unexpected_open > 0 OR expected_closed > 0) \
                 AND (?1 IS NULL OR target_id = ?1) ORDER BY target_id, ip LIMIT ?2",
                params![target, limit],
                unexpected,
            )
        })
        .await
    }

    async fn findings(&self) -> Result<FindingTotals, StoreError> {
        self.transaction("counting what is not as expected", |transaction| {
            let (open, closed) = transaction
                .prepare_cached(
                    "SELECT coalesce(sum(unexpected_open), 0), coalesce(sum(expected_closed), 0) \
                     FROM hosts JOIN targets ON targets.id = target_id AND listed \
                     WHERE unexpected_open > 0 OR expected_closed > 0",
                )?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(FindingTotals {
                unexpected_open: number("unexpected_open", open)?,
                expected_closed: number("expected_closed", closed)?,
            })
        })
        .await
    }
}

fn set(transaction: &Transaction<'_>, approval: &Approval) -> Result<Vec<Approved>, Problem> {
    let Some((target, _)) = snapshots::find(transaction, approval.target)? else {
        return Ok(Vec::new());
    };
    let id = approval.target.0;
    let of_hosts = params![id.as_bytes(), approval.ip.map(|ip| ip.to_string())];
    let hosts = rows::select(
        transaction,
        "SELECT * FROM hosts WHERE target_id = ?1 AND (?2 IS NULL OR ip = ?2)",
        of_hosts,
        rows::host,
    )?;
    let ports = rows::select(
        transaction,
        "SELECT * FROM ports WHERE target_id = ?1 AND (?2 IS NULL OR ip = ?2)",
        of_hosts,
        rows::port,
    )?;
    let hosts = approve(&target, assemble(hosts, &ports)?, &approval.ports);
    let mut update = transaction.prepare_cached(
        "UPDATE hosts SET approved = ?3, approved_by = iif(?3 IS NULL, NULL, ?4), \
         approved_at = iif(?3 IS NULL, NULL, ?5), unexpected_open = ?6, expected_closed = ?7 \
         WHERE target_id = ?1 AND ip = ?2",
    )?;
    for host in &hosts {
        let host = HostColumns::from(host);
        update.execute(params![
            id.as_bytes(),
            host.ip.to_string(),
            host.approved,
            approval.by,
            approval.now.as_microsecond(),
            host.unexpected_open,
            host.expected_closed,
        ])?;
    }
    Ok(hosts
        .into_iter()
        .map(|host| Approved {
            ip: host.ip,
            ports: host.approved,
        })
        .collect())
}

fn unexpected(row: &Row<'_>) -> rusqlite::Result<Unexpected> {
    Ok(Unexpected {
        target: TargetId(rows::uuid(row, "target_id")?),
        target_name: row.get("target_name")?,
        ip: rows::ip(row)?,
        name: row.get("name")?,
        findings: Findings {
            unexpected_open: row.get("unexpected_open")?,
            expected_closed: row.get("expected_closed")?,
        },
    })
}
