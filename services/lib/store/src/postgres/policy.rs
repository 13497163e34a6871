//! What is expected of hosts, in PostgreSQL.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use portwatch_domain::change::Findings;
use portwatch_domain::target::TargetId;
use tokio_postgres::Row;

use super::{Postgres, Problem, rows, snapshots};
use crate::StoreError;
use crate::columns::{HostColumns, assemble, cut, number};
use crate::policy::{Approval, Approved, FindingTotals, Policies, Unexpected, approve};

const APPROVE: &str = "UPDATE hosts SET approved = r.approved, \
     approved_by = CASE WHEN r.approved IS NOT NULL THEN $5::text END, \
     approved_at = CASE WHEN r.approved IS NOT NULL THEN $6::timestamptz END, \
     unexpected_open = r.unexpected_open, expected_closed = r.expected_closed \
     FROM unnest($2::inet[], $3::text[], $4::integer[], $7::integer[]) \
     AS r (ip, approved, unexpected_open, expected_closed) \
     WHERE target_id = $1 AND hosts.ip = r.ip";

const UNEXPECTED: &str = "SELECT target_id, t.name AS target_name, ip, h.name, unexpected_open, \
     expected_closed FROM hosts AS h JOIN targets AS t ON t.id = h.target_id AND t.listed \
     WHERE (unexpected_open > 0 OR expected_closed > 0)";

#[async_trait]
impl Policies for Postgres {
    async fn approve(&self, approval: Approval) -> Result<Vec<Approved>, StoreError> {
        transaction!(self, "approving ports", |transaction| {
            set(transaction, &approval).await
        })
    }

    async fn unexpected(
        &self,
        target: Option<TargetId>,
        limit: u32,
    ) -> Result<Vec<Unexpected>, StoreError> {
        transaction!(self, "reading what is not as expected", |transaction| {
            let order = "ORDER BY target_id, ip LIMIT $1";
            let limit = i64::from(limit);
            let found = if let Some(target) = target {
                let sql = format!("{UNEXPECTED} AND target_id = $2 {order}");
                let select = transaction.prepare_cached(&sql).await?;
                transaction.query(&select, &[&limit, &target.0]).await?
            } else {
                let sql = format!("{UNEXPECTED} {order}");
                let select = transaction.prepare_cached(&sql).await?;
                transaction.query(&select, &[&limit]).await?
            };
            found.iter().map(unexpected).collect()
        })
    }

    async fn findings(&self) -> Result<FindingTotals, StoreError> {
        transaction!(self, "counting what is not as expected", |transaction| {
            let select = transaction
                .prepare_cached(
                    "SELECT coalesce(sum(unexpected_open), 0), coalesce(sum(expected_closed), 0) \
                     FROM hosts JOIN targets ON targets.id = target_id AND listed \
                     WHERE unexpected_open > 0 OR expected_closed > 0",
                )
                .await?;
            let sums = transaction.query_one(&select, &[]).await?;
            Ok(FindingTotals {
                unexpected_open: number("unexpected_open", sums.try_get(0)?)?,
                expected_closed: number("expected_closed", sums.try_get(1)?)?,
            })
        })
    }
}

async fn set(transaction: &Transaction<'_>, approval: &Approval) -> Result<Vec<Approved>, Problem> {
    let Some((target, _)) = snapshots::lock(transaction, approval.target).await? else {
        return Ok(Vec::new());
    };
    let id = approval.target.0;
    let of_host = if approval.ip.is_some() {
        "AND ip = $2"
    } else {
        "AND $2::inet IS NULL"
    };
    let hosts = format!(
        "SELECT {} FROM hosts WHERE target_id = $1 {of_host}",
        rows::HOST
    );
    let hosts = transaction.prepare_cached(&hosts).await?;
    let hosts = transaction.query(&hosts, &[&id, &approval.ip]).await?;
    let ports = format!(
        "SELECT {} FROM ports WHERE target_id = $1 {of_host}",
        rows::PORT
    );
    let ports = transaction.prepare_cached(&ports).await?;
    let ports = transaction.query(&ports, &[&id, &approval.ip]).await?;
    let hosts = hosts.iter().map(rows::host).collect::<Result<_, _>>()?;
    let ports: Vec<_> = ports.iter().map(rows::port).collect::<Result<_, _>>()?;
    let hosts = approve(&target, assemble(hosts, &ports)?, &approval.ports);
    let columns: Vec<_> = hosts.iter().map(HostColumns::from).collect();
    let ips: Vec<_> = columns.iter().map(|host| host.ip).collect();
    let approved: Vec<_> = columns.iter().map(|host| &host.approved).collect();
    let open: Vec<_> = columns.iter().map(|host| host.unexpected_open).collect();
    let closed: Vec<_> = columns.iter().map(|host| host.expected_closed).collect();
    let update = transaction.prepare_cached(APPROVE).await?;
    let (by, now) = (&approval.by, cut(approval.now));
    transaction
        .execute(&update, &[&id, &ips, &approved, &open, by, &now, &closed])
        .await?;
    Ok(hosts
        .into_iter()
        .map(|host| Approved {
            ip: host.ip,
            ports: host.approved,
        })
        .collect())
}

fn unexpected(row: &Row) -> Result<Unexpected, Problem> {
    Ok(Unexpected {
        target: TargetId(row.try_get("target_id")?),
        target_name: row.try_get("target_name")?,
        ip: row.try_get("ip")?,
        name: row.try_get("name")?,
        findings: Findings {
            unexpected_open: number(
                "unexpected_open",
                row.try_get::<_, i32>("unexpected_open")?.into(),
            )?,
            expected_closed: number(
                "expected_closed",
                row.try_get::<_, i32>("expected_closed")?.into(),
            )?,
        },
    })
}
