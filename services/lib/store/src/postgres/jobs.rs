//! Due targets and jobs in PostgreSQL.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::PortState;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Postgres, Problem, outbox, rows};
use crate::StoreError;
use crate::columns::{cut, lease_end, number, parse, signed};
use crate::jobs::{DueTarget, JobCounts, Jobs, NewRun};

const TAKE_RUN: &str = "UPDATE targets SET run = $2, claimed_until = NULL, \
     busy_until = GREATEST(busy_until, $3), \
     next_due_at = CASE WHEN next_due_at = $4 THEN $5 ELSE next_due_at END \
     WHERE id = $1 AND listed AND enabled AND run < $2";

#[async_trait]
impl Jobs for Postgres {
    async fn claim_due(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueTarget>, StoreError> {
        let until = lease_end(now, lease);
        transaction!(self, "claiming due targets", |transaction| {
            let due = transaction.prepare_cached(&due()).await?;
            let due = transaction
                .query(&due, &[&cut(now), &i64::from(limit)])
                .await?;
            let mut claimed: Vec<_> = due.iter().map(due_target).collect::<Result<_, _>>()?;
            let ids: Vec<_> = claimed.iter().map(|due| due.target.id.0).collect();
            if ids.is_empty() {
                return Ok(claimed);
            }
            let claim = transaction
                .prepare_cached("UPDATE targets SET claimed_until = $2 WHERE id = ANY($1)")
                .await?;
            transaction.execute(&claim, &[&ids, &until]).await?;
            let mut open = open_ports(transaction, &ids).await?;
            for due in &mut claimed {
                due.open = open.remove(&due.target.id.0).unwrap_or_default();
            }
            Ok(claimed)
        })
    }

    async fn save_run(&self, run: NewRun) -> Result<bool, StoreError> {
        transaction!(self, "saving a run", |transaction| {
            save(transaction, &run).await
        })
    }

    async fn count_jobs(&self, now: Timestamp) -> Result<JobCounts, StoreError> {
        let now = cut(now);
        transaction!(self, "counting jobs", |transaction| {
            let lose = transaction
                .prepare_cached(
                    "UPDATE jobs SET lost_at = $1 WHERE id = ANY (ARRAY(SELECT id FROM jobs \
                     WHERE finished_at IS NULL AND lost_at IS NULL AND deadline <= $1 \
                     FOR UPDATE SKIP LOCKED))",
                )
                .await?;
            let newly_lost = transaction.execute(&lose, &[&now]).await?;
            let count = transaction
                .prepare_cached(
                    "SELECT count(*) FROM jobs \
                     WHERE finished_at IS NULL AND lost_at IS NULL AND deadline > $1",
                )
                .await?;
            let out = transaction.query_one(&count, &[&now]).await?;
            Ok(JobCounts {
                out: number("count", out.try_get(0)?)?,
                newly_lost,
            })
        })
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        transaction!(self, "reading when a target is due", |transaction| {
            let select = transaction
                .prepare_cached("SELECT min(next_due_at) FROM targets WHERE listed AND enabled")
                .await?;
            Ok(transaction.query_one(&select, &[]).await?.try_get(0)?)
        })
    }
}

fn due() -> String {
    format!(
        "SELECT {}, t.next_due_at, t.run FROM targets t \
         WHERE listed AND enabled AND claimable_at <= $1 ORDER BY claimable_at LIMIT $2 \
         FOR NO KEY UPDATE SKIP LOCKED",
        rows::TARGET
    )
}

fn due_target(row: &Row) -> Result<DueTarget, Problem> {
    Ok(DueTarget {
        target: rows::target(row)?.target()?,
        slot: row.try_get("next_due_at")?,
        run: number::<u64>("run", row.try_get("run")?)? + 1,
        open: BTreeMap::new(),
    })
}

async fn open_ports(
    transaction: &Transaction<'_>,
    targets: &[Uuid],
) -> Result<HashMap<Uuid, BTreeMap<IpAddr, PortSet>>, Problem> {
    let mut open: HashMap<Uuid, BTreeMap<IpAddr, PortSet>> = HashMap::new();
    let select = transaction
        .prepare_cached(
            "SELECT target_id, ip, protocol, port FROM ports \
             WHERE target_id = ANY($1) AND state = $2",
        )
        .await?;
    let found = transaction
        .query(&select, &[&targets, &PortState::Open.as_str()])
        .await?;
    for row in found {
        let port = Port {
            protocol: parse("protocol", row.try_get("protocol")?)?,
            number: number("port", row.try_get::<_, i32>("port")?.into())?,
        };
        let hosts = open.entry(row.try_get("target_id")?).or_default();
        hosts.entry(row.try_get("ip")?).or_default().insert(port);
    }
    Ok(open)
}

async fn save(transaction: &Transaction<'_>, run: &NewRun) -> Result<bool, Problem> {
    let target = run.target.0;
    let (slot, next, now) = (cut(run.slot), cut(run.next_slot), cut(run.now));
    let number = signed(run.run);
    let lock = transaction
        .prepare_cached("SELECT FROM targets WHERE id = $1 FOR NO KEY UPDATE")
        .await?;
    transaction.execute(&lock, &[&target]).await?;
    // Without this a target that stands on a taken slot would be claimed again and again.
    let pass_over = transaction
        .prepare_cached(
            "WITH taken AS (SELECT FROM runs WHERE target_id = $1 AND slot = $2), \
             passed AS (UPDATE targets SET next_due_at = $3 \
             WHERE id = $1 AND next_due_at = $2 AND EXISTS (SELECT FROM taken)) \
             SELECT EXISTS (SELECT FROM taken)",
        )
        .await?;
    let taken = transaction
        .query_one(&pass_over, &[&target, &slot, &next])
        .await?;
    if taken.try_get::<_, bool>(0)? {
        return Ok(false);
    }
    let deadlines: Vec<_> = run.jobs.iter().map(|job| cut(job.deadline)).collect();
    let take = transaction.prepare_cached(TAKE_RUN).await?;
    let last = deadlines.iter().max();
    let taken = transaction
        .execute(&take, &[&target, &number, &last, &slot, &next])
        .await?;
    if taken == 0 {
        return Ok(false);
    }
    let insert_run = transaction
        .prepare_cached(
            "INSERT INTO runs (target_id, run, slot, created_at) VALUES ($1, $2, $3, $4)",
        )
        .await?;
    transaction
        .execute(&insert_run, &[&target, &number, &slot, &now])
        .await?;
    let ids: Vec<_> = run.jobs.iter().map(|job| job.id.0).collect();
    let parts: Vec<_> = run.jobs.iter().map(|job| i64::from(job.parts)).collect();
    let insert_jobs = transaction
        .prepare_cached(
            "INSERT INTO jobs (id, target_id, run, parts, deadline) \
             SELECT id, $1, $2, parts, deadline \
             FROM unnest($3::uuid[], $4::bigint[], $5::timestamptz[]) AS r (id, parts, deadline)",
        )
        .await?;
    transaction
        .execute(&insert_jobs, &[&target, &number, &ids, &parts, &deadlines])
        .await?;
    outbox::save(transaction, &run.outbox, now).await?;
    Ok(true)
}
