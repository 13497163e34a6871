//! Requests in SQLite.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};
use uuid::Uuid;

use super::jobs::{KNOWN, kept, known};
use super::{Problem, Sqlite, rows};
use crate::StoreError;
use crate::columns::{Unreadable, lease_end, number, parse, port_set};
use crate::jobs::JobProgress;
use crate::requests::{DueRequest, NewRequest, RequestState, Requests};

const STATE: &str = "SELECT q.run, count(j.id) AS jobs, count(j.finished_at) AS finished, \
     count(j.id) FILTER (WHERE j.finished_at IS NULL AND j.deadline <= ?2) AS expired, \
     coalesce(sum(j.sent), 0) AS sent, coalesce(sum(j.planned), 0) AS planned, \
     coalesce(sum(j.answered), 0) AS answered, coalesce(sum(j.open), 0) AS open \
     FROM requests q LEFT JOIN jobs j ON j.target_id = q.target_id AND j.run = q.run \
     WHERE q.id = ?1 GROUP BY q.seq";

/// Saves requests; a known one is left as it is.
pub(super) fn save(transaction: &Transaction<'_>, requests: &[NewRequest]) -> Result<(), Problem> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO requests (id, target_id, kind, hosts, ports, asked_at, due_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
    )?;
    for request in requests {
        let hosts = request.hosts.as_ref().map(|hosts| {
            let texts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            texts.join(" ")
        });
        insert.execute(params![
            request.id.as_bytes(),
            request.target.0.as_bytes(),
            request.kind.as_str(),
            hosts,
            request.ports.as_ref().map(ToString::to_string),
            request.asked_at.as_microsecond(),
            request.due_at.as_microsecond()
        ])?;
    }
    Ok(())
}

/// Addresses, separated by spaces.
pub(super) fn addresses(text: &str) -> Result<Vec<IpAddr>, Unreadable> {
    text.split_whitespace()
        .map(|ip| parse("hosts", ip))
        .collect()
}

#[async_trait]
impl Requests for Sqlite {
    async fn add_requests(&self, requests: Vec<NewRequest>) -> Result<(), StoreError> {
        self.transaction("saving requests", move |transaction| {
            save(transaction, &requests)
        })
        .await
    }

    async fn claim_requests(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueRequest>, StoreError> {
        let until = lease_end(now, lease).as_microsecond();
        self.transaction("claiming requests", move |transaction| {
            claim(transaction, now.as_microsecond(), limit, until)
        })
        .await
    }

    async fn request(&self, id: Uuid, now: Timestamp) -> Result<Option<RequestState>, StoreError> {
        self.transaction("reading a request", move |transaction| {
            let found = transaction
                .prepare_cached(STATE)?
                .query_row(params![id.as_bytes(), now.as_microsecond()], |row| {
                    let run: Option<i64> = row.get("run")?;
                    let columns = [
                        "jobs", "finished", "expired", "sent", "planned", "answered", "open",
                    ];
                    let mut counts = [0_i64; 7];
                    for (count, column) in counts.iter_mut().zip(columns) {
                        *count = row.get(column)?;
                    }
                    Ok((run, counts))
                })
                .optional()?;
            let Some((run, counts)) = found else {
                return Ok(None);
            };
            let [jobs, finished, expired, sent, planned, answered, open] =
                counts.map(|count| u64::try_from(count).unwrap_or_default());
            Ok(Some(RequestState {
                run: run.map(|run| number("run", run)).transpose()?,
                jobs,
                finished,
                expired,
                progress: JobProgress {
                    sent,
                    planned,
                    answered,
                    open,
                },
            }))
        })
        .await
    }
}

fn claim(
    transaction: &Transaction<'_>,
    now: i64,
    limit: u32,
    until: i64,
) -> Result<Vec<DueRequest>, Problem> {
    // The columns of the target, apart from those of the request.
    let sql = format!(
        "SELECT targets.*, {KNOWN}, q.id AS request, q.kind AS request_kind, q.hosts AS wanted_hosts, \
         q.ports AS wanted_ports \
         FROM requests q JOIN targets ON targets.id = q.target_id \
         WHERE q.run IS NULL AND q.claimable_at <= ?1 AND listed AND enabled \
         ORDER BY q.claimable_at, q.seq LIMIT ?2"
    );
    let due = rows::select(transaction, &sql, params![now, limit], |row| {
        let kind: String = row.get("request_kind")?;
        let hosts: Option<String> = row.get("wanted_hosts")?;
        let ports: Option<String> = row.get("wanted_ports")?;
        let id = rows::uuid(row, "request")?;
        Ok((rows::target(row)?, kept(row)?, id, kind, hosts, ports))
    })?;
    let mut claimed = Vec::with_capacity(due.len());
    for (columns, kept, id, kind, hosts, ports) in due {
        transaction
            .prepare_cached("UPDATE requests SET claimed_until = ?2 WHERE id = ?1")?
            .execute(params![id.as_bytes(), until])?;
        let target = columns.target()?;
        let known = known(transaction, target.id, &kept)?;
        claimed.push(DueRequest {
            id,
            kind: parse("kind", &kind)?,
            target,
            hosts: hosts.map(|hosts| addresses(&hosts)).transpose()?,
            ports: ports.map(|ports| port_set("ports", &ports)).transpose()?,
            known,
        });
    }
    Ok(claimed)
}
