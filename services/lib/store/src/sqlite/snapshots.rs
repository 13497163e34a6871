//! State and history in SQLite.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use portwatch_domain::change::HostRecord;
use portwatch_domain::job::JobId;
use portwatch_domain::target::{Target, TargetId};
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};

use super::{Problem, Sqlite, outbox, rows};
use crate::StoreError;
use crate::columns::{
    ChangeColumns, EvidenceColumns, HostColumns, PortColumns, PortPart, assemble, number,
};
use crate::snapshots::delta::{self, Delta};
use crate::snapshots::{Applied, Decide, HistoryRow, Loaded, SnapshotPart, Snapshots};

#[async_trait]
impl Snapshots for Sqlite {
    async fn apply_snapshot(
        &self,
        part: SnapshotPart,
        decide: Decide,
    ) -> Result<Applied, StoreError> {
        self.transaction("applying a snapshot", move |transaction| {
            apply(transaction, &part, decide)
        })
        .await
    }

    async fn hosts(&self, target: TargetId) -> Result<Vec<HostRecord>, StoreError> {
        self.transaction("reading hosts", move |transaction| {
            let hosts = select(
                transaction,
                "SELECT * FROM hosts WHERE target_id = ?1",
                [target.0.as_bytes()],
                rows::host,
            )?;
            let ports = select(
                transaction,
                "SELECT * FROM ports WHERE target_id = ?1",
                [target.0.as_bytes()],
                rows::port,
            )?;
            Ok(assemble(hosts, &ports)?.into_values().collect())
        })
        .await
    }

    async fn history(&self, target: TargetId, limit: u32) -> Result<Vec<HistoryRow>, StoreError> {
        self.transaction("reading the history", move |transaction| {
            let found = select(
                transaction,
                "SELECT * FROM history WHERE target_id = ?1 ORDER BY at DESC, seq DESC LIMIT ?2",
                params![target.0.as_bytes(), limit],
                change,
            )?;
            let history: Result<_, _> = found.into_iter().map(ChangeColumns::row).collect();
            Ok(history?)
        })
        .await
    }
}

fn apply(
    transaction: &Transaction<'_>,
    part: &SnapshotPart,
    decide: Decide,
) -> Result<Applied, Problem> {
    let now = part.now.as_microsecond();
    let Some((target, newest_run)) = find(transaction, part.target)? else {
        return Ok(Applied::NoTarget);
    };
    let new = transaction
        .prepare_cached(
            "INSERT INTO inbox (job_id, part, received_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![part.job.0.as_bytes(), part.part, now])?;
    if new == 0 {
        return Ok(Applied::Duplicate);
    }
    let stored = load(transaction, part.target, &part.hosts)?;
    let hosts = delta::in_order(&stored, &part.hosts);
    let loaded = Loaded {
        target,
        newest_run,
        hosts,
    };
    let decided = delta::decide(decide, loaded).map_err(Problem::Refused)?;
    let delta = delta::delta(&stored, &part.hosts, &decided.hosts).map_err(Problem::Refused)?;
    save_state(transaction, part.target, &delta)?;
    for (ip, change) in &decided.history {
        save_change(
            transaction,
            part.target,
            &ChangeColumns::new(*ip, change, part.job),
        )?;
    }
    outbox::save(transaction, &decided.outbox, now)?;
    finish(transaction, part, now)?;
    Ok(Applied::Applied)
}

/// The target with its newest run.
fn find(transaction: &Transaction<'_>, target: TargetId) -> Result<Option<(Target, u64)>, Problem> {
    let sql = format!("SELECT {}, run FROM targets WHERE id = ?1", rows::TARGET);
    let found = transaction
        .prepare_cached(&sql)?
        .query_row([target.0.as_bytes()], |row| {
            Ok((rows::target(row)?, row.get::<_, i64>("run")?))
        })
        .optional()?;
    let Some((columns, run)) = found else {
        return Ok(None);
    };
    Ok(Some((columns.target()?, number("run", run)?)))
}

fn load(
    transaction: &Transaction<'_>,
    target: TargetId,
    asked: &[IpAddr],
) -> Result<BTreeMap<IpAddr, HostRecord>, Problem> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for ip in asked {
        let key = params![target.0.as_bytes(), ip.to_string()];
        hosts.extend(select(
            transaction,
            "SELECT * FROM hosts WHERE target_id = ?1 AND ip = ?2",
            key,
            rows::host,
        )?);
        ports.extend(select(
            transaction,
            "SELECT * FROM ports WHERE target_id = ?1 AND ip = ?2",
            key,
            rows::port,
        )?);
    }
    Ok(assemble(hosts, &ports)?)
}

fn select<T>(
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Problem> {
    let mut statement = transaction.prepare_cached(sql)?;
    let found = statement.query_map(params, read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn save_state(
    transaction: &Transaction<'_>,
    target: TargetId,
    delta: &Delta,
) -> Result<(), Problem> {
    for host in &delta.hosts {
        save_host(transaction, target, host)?;
    }
    for port in &delta.ports {
        save_port(transaction, target, port)?;
    }
    let mut delete = transaction.prepare_cached(
        "DELETE FROM ports WHERE target_id = ?1 AND ip = ?2 AND protocol = ?3 AND port = ?4",
    )?;
    for (ip, port) in &delta.gone {
        let protocol = port.protocol.as_str();
        delete.execute(params![
            target.0.as_bytes(),
            ip.to_string(),
            protocol,
            port.number
        ])?;
    }
    Ok(())
}

fn save_host(
    transaction: &Transaction<'_>,
    target: TargetId,
    host: &HostColumns,
) -> Result<(), Problem> {
    let sql = "INSERT INTO hosts (target_id, ip, name, state, suspect, since, last_seen, last_run, \
         transition, baseline, confirmed_at, left_behind) VALUES (:target, :ip, :name, :state, :suspect, :since, :last_seen, \
         :last_run, :transition, :baseline, :confirmed_at, :left_behind) ON CONFLICT DO UPDATE SET name = excluded.name, \
         state = excluded.state, suspect = excluded.suspect, since = excluded.since, \
         last_seen = excluded.last_seen, last_run = excluded.last_run, \
         transition = excluded.transition, baseline = excluded.baseline, \
         confirmed_at = excluded.confirmed_at, left_behind = excluded.left_behind";
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":target": target.0.as_bytes(),
        ":ip": host.ip.to_string(),
        ":name": host.name,
        ":state": host.state,
        ":suspect": host.suspect,
        ":since": host.since.map(jiff::Timestamp::as_microsecond),
        ":last_seen": host.last_seen.map(jiff::Timestamp::as_microsecond),
        ":last_run": host.last_run,
        ":transition": host.transition,
        ":baseline": host.baseline,
        ":confirmed_at": host.confirmed_at.map(jiff::Timestamp::as_microsecond),
        ":left_behind": host.left_behind,
    })?;
    Ok(())
}

fn save_port(
    transaction: &Transaction<'_>,
    target: TargetId,
    port: &PortColumns,
) -> Result<(), Problem> {
    let sql = "INSERT INTO ports (target_id, ip, protocol, port, state, since, first_seen, last_seen, \
         transition, answer, ttl, rtt_us, probes, service) VALUES (:target, :ip, :protocol, :port, \
         :state, :since, :first_seen, :last_seen, :transition, :answer, :ttl, :rtt_us, :probes, :service) \
         ON CONFLICT DO UPDATE SET state = excluded.state, since = excluded.since, \
         first_seen = excluded.first_seen, last_seen = excluded.last_seen, \
         transition = excluded.transition, answer = excluded.answer, ttl = excluded.ttl, \
         rtt_us = excluded.rtt_us, probes = excluded.probes, service = excluded.service";
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":target": target.0.as_bytes(),
        ":ip": port.ip.to_string(),
        ":protocol": port.protocol,
        ":port": port.port,
        ":state": port.state,
        ":since": port.since.as_microsecond(),
        ":first_seen": port.first_seen.as_microsecond(),
        ":last_seen": port.last_seen.as_microsecond(),
        ":transition": port.transition,
        ":answer": port.evidence.answer,
        ":ttl": port.evidence.ttl,
        ":rtt_us": port.evidence.rtt_us,
        ":probes": port.evidence.probes,
        ":service": port.service,
    })?;
    Ok(())
}

fn save_change(
    transaction: &Transaction<'_>,
    target: TargetId,
    change: &ChangeColumns,
) -> Result<(), Problem> {
    let sql = "INSERT INTO history (change_id, target_id, ip, job_id, at, protocol, port, before, \
         after, answer, ttl, rtt_us, probes, expected, suspect, service) VALUES (:id, :target, :ip, :job, \
         :at, :protocol, :port, :before, :after, :answer, :ttl, :rtt_us, :probes, :expected, \
         :suspect, :service) ON CONFLICT (change_id) DO NOTHING";
    let port = change.port.as_ref();
    let evidence = port.map(|port| &port.evidence);
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":id": change.id.as_bytes(),
        ":target": target.0.as_bytes(),
        ":ip": change.ip.to_string(),
        ":job": change.job.as_bytes(),
        ":at": change.at.as_microsecond(),
        ":protocol": port.map(|port| &port.protocol),
        ":port": port.map(|port| port.number),
        ":before": change.before,
        ":after": change.after,
        ":answer": evidence.map(|evidence| &evidence.answer),
        ":ttl": evidence.and_then(|evidence| evidence.ttl),
        ":rtt_us": evidence.and_then(|evidence| evidence.rtt_us),
        ":probes": evidence.map(|evidence| evidence.probes),
        ":expected": port.map(|port| port.expected),
        ":suspect": change.suspect,
        ":service": port.and_then(|port| port.service.as_ref()),
    })?;
    Ok(())
}

fn change(row: &Row<'_>) -> rusqlite::Result<ChangeColumns> {
    let protocol: Option<String> = row.get("protocol")?;
    let port = protocol
        .map(|protocol| {
            Ok::<_, rusqlite::Error>(PortPart {
                protocol,
                number: row.get("port")?,
                evidence: EvidenceColumns {
                    answer: row.get("answer")?,
                    ttl: row.get("ttl")?,
                    rtt_us: row.get("rtt_us")?,
                    probes: row.get("probes")?,
                },
                expected: row.get("expected")?,
                service: row.get("service")?,
            })
        })
        .transpose()?;
    Ok(ChangeColumns {
        id: rows::uuid(row, "change_id")?,
        ip: rows::ip(row)?,
        job: rows::uuid(row, "job_id")?,
        at: rows::time(row, "at")?,
        before: row.get("before")?,
        after: row.get("after")?,
        port,
        suspect: row.get("suspect")?,
    })
}

/// Counts the part, and when all are in the job is finished; when no other job of the target is
/// out, the target may be claimed again.
fn finish(transaction: &Transaction<'_>, part: &SnapshotPart, now: i64) -> Result<(), Problem> {
    let job: JobId = part.job;
    let finished: Option<bool> = rows::optional(
        transaction,
        "UPDATE jobs SET parts_in = parts_in + 1, \
         finished_at = CASE WHEN parts_in + 1 = parts THEN ?3 END \
         WHERE id = ?1 AND ?2 < parts AND finished_at IS NULL RETURNING finished_at IS NOT NULL",
        params![job.0.as_bytes(), part.part, now],
    )?;
    if finished == Some(true) {
        transaction
            .prepare_cached(
                "UPDATE targets SET busy_until = NULL WHERE id = ?1 AND NOT EXISTS \
                 (SELECT 1 FROM jobs WHERE target_id = ?1 AND finished_at IS NULL AND deadline > ?2)",
            )?
            .execute(params![part.target.0.as_bytes(), now])?;
    }
    Ok(())
}
