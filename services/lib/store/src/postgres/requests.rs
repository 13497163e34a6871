//! Requests in PostgreSQL.

use std::net::IpAddr;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::jobs::{KNOWN, known, with_open_ports};
use super::{Postgres, Problem, rows};
use crate::StoreError;
use crate::columns::{cut, lease_end, number, parse, port_set};
use crate::jobs::JobProgress;
use crate::requests::{DueRequest, NewRequest, RequestState, Requests};

/// Lists of addresses come as text, because arrays of arrays cannot be unnested.
const INSERT: &str = "INSERT INTO requests (id, target_id, kind, hosts, ports, asked_at, due_at) \
     SELECT id, target_id, kind, hosts::inet[], ports, asked_at, due_at \
     FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], \
     $7::timestamptz[]) WITH ORDINALITY \
     AS r (id, target_id, kind, hosts, ports, asked_at, due_at, place) ORDER BY place \
     ON CONFLICT (id) DO NOTHING";

const STATE: &str = "SELECT q.run, count(j.id) AS jobs, \
     count(j.finished_at) AS finished, \
     count(j.id) FILTER (WHERE j.finished_at IS NULL AND j.deadline <= $2) AS expired, \
     coalesce(sum(j.sent), 0)::bigint AS sent, coalesce(sum(j.planned), 0)::bigint AS planned, \
     coalesce(sum(j.answered), 0)::bigint AS answered, coalesce(sum(j.open), 0)::bigint AS open \
     FROM requests q LEFT JOIN jobs j ON j.target_id = q.target_id AND j.run = q.run \
     WHERE q.id = $1 GROUP BY q.id";

/// Saves requests; a known one is left as it is.
pub(super) async fn save(
    transaction: &Transaction<'_>,
    requests: &[NewRequest],
) -> Result<(), Problem> {
    if requests.is_empty() {
        return Ok(());
    }
    let hosts = |request: &NewRequest| {
        let hosts = request.hosts.as_ref()?;
        let texts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        Some(format!("{{{}}}", texts.join(",")))
    };
    let insert = transaction.prepare_cached(INSERT).await?;
    transaction
        .execute(
            &insert,
            &[
                &column(requests, |request| request.id),
                &column(requests, |request| request.target.0),
                &column(requests, |request| request.kind.as_str()),
                &column(requests, hosts),
                &column(requests, |request| {
                    request.ports.as_ref().map(ToString::to_string)
                }),
                &column(requests, |request| cut(request.asked_at)),
                &column(requests, |request| cut(request.due_at)),
            ],
        )
        .await?;
    Ok(())
}

fn column<'a, T>(requests: &'a [NewRequest], of: impl Fn(&'a NewRequest) -> T) -> Vec<T> {
    requests.iter().map(of).collect()
}

#[async_trait]
impl Requests for Postgres {
    async fn add_requests(&self, requests: Vec<NewRequest>) -> Result<(), StoreError> {
        transaction!(self, "saving requests", |transaction| {
            save(transaction, &requests).await
        })
    }

    async fn claim_requests(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueRequest>, StoreError> {
        let until = lease_end(now, lease);
        transaction!(self, "claiming requests", |transaction| {
            let due = transaction.prepare_cached(&due()).await?;
            let due = transaction
                .query(&due, &[&cut(now), &i64::from(limit)])
                .await?;
            let mut claimed: Vec<_> = due.iter().map(due_request).collect::<Result<_, _>>()?;
            let ids: Vec<_> = claimed.iter().map(|due| due.id).collect();
            if ids.is_empty() {
                return Ok(claimed);
            }
            let claim = transaction
                .prepare_cached("UPDATE requests SET claimed_until = $2 WHERE id = ANY($1)")
                .await?;
            transaction.execute(&claim, &[&ids, &until]).await?;
            let known = claimed
                .iter_mut()
                .map(|due| (due.target.id, &mut due.known));
            with_open_ports(transaction, known).await?;
            Ok(claimed)
        })
    }

    async fn request(&self, id: Uuid, now: Timestamp) -> Result<Option<RequestState>, StoreError> {
        transaction!(self, "reading a request", |transaction| {
            let select = transaction.prepare_cached(STATE).await?;
            let found = transaction.query_opt(&select, &[&id, &cut(now)]).await?;
            found.as_ref().map(state).transpose()
        })
    }
}

fn due() -> String {
    format!(
        "SELECT {}, {KNOWN}, q.id AS request, q.kind, q.hosts, q.ports AS wanted \
         FROM requests q JOIN targets t ON t.id = q.target_id \
         WHERE q.run IS NULL AND q.claimable_at <= $1 AND t.listed AND t.enabled \
         ORDER BY q.claimable_at, q.seq LIMIT $2 FOR NO KEY UPDATE OF q SKIP LOCKED",
        rows::TARGET
    )
}

fn due_request(row: &Row) -> Result<DueRequest, Problem> {
    let ports: Option<String> = row.try_get("wanted")?;
    let hosts: Option<Vec<IpAddr>> = row.try_get("hosts")?;
    Ok(DueRequest {
        id: row.try_get("request")?,
        kind: parse("kind", row.try_get("kind")?)?,
        target: rows::target(row)?.target()?,
        hosts,
        ports: ports.map(|ports| port_set("ports", &ports)).transpose()?,
        known: known(row)?,
    })
}

fn state(row: &Row) -> Result<RequestState, Problem> {
    let count = |column: &'static str| -> Result<u64, Problem> {
        Ok(number(column, row.try_get(column)?)?)
    };
    let run: Option<i64> = row.try_get("run")?;
    Ok(RequestState {
        run: run.map(|run| number("run", run)).transpose()?,
        jobs: count("jobs")?,
        finished: count("finished")?,
        expired: count("expired")?,
        progress: JobProgress {
            sent: count("sent")?,
            planned: count("planned")?,
            answered: count("answered")?,
            open: count("open")?,
        },
    })
}
