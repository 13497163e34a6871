//! Jobs that brought no snapshot in time.

use jiff::Timestamp;
use portwatch_domain::target::TargetId;
use rusqlite::Transaction;

use super::super::{Problem, requests, rows};
use crate::columns::port_set;
use crate::jobs::JobCounts;
use crate::requests::{NewRequest, RequestKind};

/// What has its own next time is not made again: verifications, and what was made again already. A zone that nobody
/// works for would only lose it once more.
const MAKE_AGAIN: &str = "SELECT j.id, j.target_id, j.hosts, j.ports FROM jobs j \
     JOIN runs r ON r.target_id = j.target_id AND r.run = j.run JOIN zones z ON z.zone = j.zone \
     WHERE j.finished_at IS NULL AND j.lost_at IS NULL AND j.deadline <= ?1 \
     AND r.kind NOT IN ('verify', 'redo') AND z.unattended_since IS NULL AND j.hosts IS NOT NULL";

pub(super) fn count(transaction: &Transaction<'_>, now: Timestamp) -> Result<JobCounts, Problem> {
    let at = now.as_microsecond();
    let again = rows::select(transaction, MAKE_AGAIN, [at], |row| {
        let hosts: String = row.get("hosts")?;
        let ports: Option<String> = row.get("ports")?;
        Ok((
            rows::uuid(row, "id")?,
            rows::uuid(row, "target_id")?,
            hosts,
            ports,
        ))
    })?;
    let mut asked = Vec::new();
    for (id, target, hosts, ports) in again {
        asked.push(NewRequest {
            id: NewRequest::redo_of(id),
            target: TargetId(target),
            kind: RequestKind::Redo,
            hosts: Some(requests::addresses(&hosts)?),
            ports: ports.map(|ports| port_set("ports", &ports)).transpose()?,
            asked_at: now,
            due_at: now,
        });
    }
    requests::save(transaction, &asked)?;
    let lost = transaction
        .prepare_cached(
            "UPDATE jobs SET lost_at = ?1 \
             WHERE finished_at IS NULL AND lost_at IS NULL AND deadline <= ?1",
        )?
        .execute([at])?;
    let out = rows::count(
        transaction,
        "SELECT count(*) FROM jobs \
         WHERE finished_at IS NULL AND lost_at IS NULL AND deadline > ?1",
        [at],
    )?;
    Ok(JobCounts {
        out,
        newly_lost: lost as u64,
        made_again: asked.len() as u64,
    })
}
