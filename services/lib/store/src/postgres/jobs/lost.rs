//! Jobs that brought no snapshot in time.

use std::net::IpAddr;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use portwatch_domain::target::TargetId;
use uuid::Uuid;

use super::super::{Problem, requests};
use crate::columns::{number, port_set};
use crate::jobs::JobCounts;
use crate::requests::{NewRequest, RequestKind};

/// The most that are marked in one call.
const AT_ONCE: i64 = 1_000;

const LOST: &str = "SELECT id FROM jobs WHERE finished_at IS NULL AND lost_at IS NULL AND deadline <= $1 \
     ORDER BY deadline LIMIT $2 FOR UPDATE SKIP LOCKED";

/// What has its own next time is not made again: verifications, and what was made again already. A zone that nobody
/// works for would only lose it once more.
const MAKE_AGAIN: &str = "UPDATE jobs AS j SET lost_at = $2 FROM runs r, zones z WHERE j.id = ANY($1) \
     AND r.target_id = j.target_id AND r.run = j.run AND z.zone = j.zone \
     RETURNING j.id, j.target_id, j.hosts, j.ports, \
     r.kind NOT IN ('verify', 'redo') AND z.unattended_since IS NULL AND j.hosts IS NOT NULL AS again";

pub(super) async fn count(
    transaction: &Transaction<'_>,
    now: Timestamp,
) -> Result<JobCounts, Problem> {
    let lost = transaction.prepare_cached(LOST).await?;
    let lost = transaction.query(&lost, &[&now, &AT_ONCE]).await?;
    let ids: Vec<Uuid> = lost
        .iter()
        .map(|row| row.try_get("id"))
        .collect::<Result<_, _>>()?;
    let made_again = make_again(transaction, &ids, now).await?;
    let count = transaction
        .prepare_cached(
            "SELECT count(*) FROM jobs \
             WHERE finished_at IS NULL AND lost_at IS NULL AND deadline > $1",
        )
        .await?;
    let out = transaction.query_one(&count, &[&now]).await?;
    Ok(JobCounts {
        out: number("count", out.try_get(0)?)?,
        newly_lost: ids.len() as u64,
        made_again,
    })
}

async fn make_again(
    transaction: &Transaction<'_>,
    lost: &[Uuid],
    now: Timestamp,
) -> Result<u64, Problem> {
    if lost.is_empty() {
        return Ok(0);
    }
    // Of those from before zones were kept nothing else is known.
    let mark = transaction
        .prepare_cached("UPDATE jobs SET lost_at = $2 WHERE id = ANY($1)")
        .await?;
    transaction.execute(&mark, &[&lost, &now]).await?;
    let again = transaction.prepare_cached(MAKE_AGAIN).await?;
    let mut asked = Vec::new();
    for row in transaction.query(&again, &[&lost, &now]).await? {
        if !row.try_get::<_, bool>("again")? {
            continue;
        }
        let (id, target): (Uuid, Uuid) = (row.try_get("id")?, row.try_get("target_id")?);
        let hosts: Option<Vec<IpAddr>> = row.try_get("hosts")?;
        let ports: Option<String> = row.try_get("ports")?;
        asked.push(NewRequest {
            id: NewRequest::redo_of(id),
            target: TargetId(target),
            kind: RequestKind::Redo,
            hosts,
            ports: ports.map(|ports| port_set("ports", &ports)).transpose()?,
            asked_at: now,
            due_at: now,
        });
    }
    requests::save(transaction, &asked).await?;
    Ok(asked.len() as u64)
}
