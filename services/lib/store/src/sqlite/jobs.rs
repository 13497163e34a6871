//! Due targets and jobs in SQLite.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::PortState;
use portwatch_domain::target::TargetId;
use rusqlite::{Transaction, params};

use super::{Problem, Sqlite, outbox, rows};
use crate::StoreError;
use crate::columns::{lease_end, number, parse, signed};
use crate::jobs::{DueTarget, JobCounts, Jobs, NewRun};

#[async_trait]
impl Jobs for Sqlite {
    async fn claim_due(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueTarget>, StoreError> {
        let until = lease_end(now, lease).as_microsecond();
        self.transaction("claiming due targets", move |transaction| {
            let mut claimed = due(transaction, now.as_microsecond(), limit)?;
            let mut claim = transaction
                .prepare_cached("UPDATE targets SET claimed_until = ?2 WHERE id = ?1")?;
            for one in &mut claimed {
                claim.execute(params![one.target.id.0.as_bytes(), until])?;
                one.open = open_ports(transaction, one.target.id)?;
            }
            Ok(claimed)
        })
        .await
    }

    async fn save_run(&self, run: NewRun) -> Result<bool, StoreError> {
        self.transaction("saving a run", move |transaction| save(transaction, &run))
            .await
    }

    async fn count_jobs(&self, now: Timestamp) -> Result<JobCounts, StoreError> {
        let now = now.as_microsecond();
        self.transaction("counting jobs", move |transaction| {
            let lost = transaction
                .prepare_cached(
                    "UPDATE jobs SET lost_at = ?1 \
                     WHERE finished_at IS NULL AND lost_at IS NULL AND deadline <= ?1",
                )?
                .execute([now])?;
            let out = rows::count(
                transaction,
                "SELECT count(*) FROM jobs \
                 WHERE finished_at IS NULL AND lost_at IS NULL AND deadline > ?1",
                [now],
            )?;
            Ok(JobCounts {
                out,
                newly_lost: lost as u64,
            })
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.transaction("reading when a target is due", |transaction| {
            let micros: Option<i64> = rows::optional(
                transaction,
                "SELECT min(next_due_at) FROM targets WHERE listed AND enabled",
                [],
            )?;
            Ok(rows::timestamp("next_due_at", micros)?)
        })
        .await
    }
}

fn due(transaction: &Transaction<'_>, now: i64, limit: u32) -> Result<Vec<DueTarget>, Problem> {
    let sql = format!(
        "SELECT {}, next_due_at, run FROM targets \
         WHERE listed AND enabled AND claimable_at <= ?1 ORDER BY claimable_at LIMIT ?2",
        rows::TARGET
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let found = statement.query_map(params![now, limit], |row| {
        let last: i64 = row.get("run")?;
        Ok((rows::target(row)?, rows::time(row, "next_due_at")?, last))
    })?;
    found
        .map(|row| {
            let (columns, slot, last) = row?;
            Ok(DueTarget {
                target: columns.target()?,
                slot,
                run: number::<u64>("run", last)? + 1,
                open: BTreeMap::new(),
            })
        })
        .collect()
}

fn open_ports(
    transaction: &Transaction<'_>,
    target: TargetId,
) -> Result<BTreeMap<IpAddr, PortSet>, Problem> {
    let mut statement = transaction.prepare_cached(
        "SELECT ip, protocol, port FROM ports WHERE target_id = ?1 AND state = ?2",
    )?;
    let open = PortState::Open.as_str();
    let mut found = statement.query(params![target.0.as_bytes(), open])?;
    let mut ports: BTreeMap<IpAddr, PortSet> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let protocol: String = row.get("protocol")?;
        let port = Port {
            protocol: parse("protocol", &protocol)?,
            number: row.get("port")?,
        };
        ports.entry(rows::ip(row)?).or_default().insert(port);
    }
    Ok(ports)
}

fn save(transaction: &Transaction<'_>, run: &NewRun) -> Result<bool, Problem> {
    let target = run.target.0.as_bytes();
    let (slot, next) = (run.slot.as_microsecond(), run.next_slot.as_microsecond());
    let number = signed(run.run);
    let slot_taken: Option<bool> = rows::optional(
        transaction,
        "SELECT EXISTS (SELECT 1 FROM runs WHERE target_id = ?1 AND slot = ?2)",
        params![target, slot],
    )?;
    if slot_taken == Some(true) {
        // Without this a target that stands on a taken slot would be claimed again and again.
        transaction
            .prepare_cached(
                "UPDATE targets SET next_due_at = ?3 WHERE id = ?1 AND next_due_at = ?2",
            )?
            .execute(params![target, slot, next])?;
        return Ok(false);
    }
    let deadlines = run.jobs.iter().map(|job| job.deadline.as_microsecond());
    let taken = transaction
        .prepare_cached(
            "UPDATE targets SET run = ?2, claimed_until = NULL, \
             busy_until = nullif(max(coalesce(busy_until, 0), coalesce(?3, 0)), 0), \
             next_due_at = CASE next_due_at WHEN ?4 THEN ?5 ELSE next_due_at END \
             WHERE id = ?1 AND listed AND enabled AND run < ?2",
        )?
        .execute(params![target, number, deadlines.max(), slot, next])?;
    if taken == 0 {
        return Ok(false);
    }
    transaction
        .prepare_cached(
            "INSERT INTO runs (target_id, run, slot, created_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![target, number, slot, run.now.as_microsecond()])?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO jobs (id, target_id, run, parts, deadline) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for job in &run.jobs {
        let deadline = job.deadline.as_microsecond();
        insert.execute(params![
            job.id.0.as_bytes(),
            target,
            number,
            job.parts,
            deadline
        ])?;
    }
    outbox::save(transaction, &run.outbox, run.now.as_microsecond())?;
    Ok(true)
}
