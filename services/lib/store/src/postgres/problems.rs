//! What is wrong, in PostgreSQL.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::Postgres;
use crate::StoreError;
use crate::columns::cut;
use crate::problems::{Acknowledgement, Problem, ProblemChange, Problems};

const NOTE: &str = "INSERT INTO problems (id, at, body, ended, told_at) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET at = excluded.at, \
     body = excluded.body, ended = excluded.ended, told_at = excluded.told_at, \
     acked_at = NULL, acked_by = NULL, reason = NULL WHERE excluded.at > problems.at";

const COLUMNS: &str = "id, at, body, told_at, acked_at, acked_by, reason";

/// Notes what changes begin and end.
pub(super) async fn note(
    transaction: &Transaction<'_>,
    changes: &[ProblemChange],
    now: Timestamp,
) -> Result<(), super::Problem> {
    for change in changes {
        let note = transaction.prepare_cached(NOTE).await?;
        let body = change.begins.as_deref().unwrap_or_default();
        let ended = change.begins.is_none();
        transaction
            .execute(
                &note,
                &[&change.id, &cut(change.at), &body, &ended, &cut(now)],
            )
            .await?;
    }
    Ok(())
}

#[async_trait]
impl Problems for Postgres {
    async fn problems(&self, limit: u32) -> Result<Vec<Problem>, StoreError> {
        transaction!(self, "reading what is wrong", |transaction| {
            let select = transaction
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM problems WHERE NOT ended ORDER BY at, id LIMIT $1"
                ))
                .await?;
            let rows = transaction.query(&select, &[&i64::from(limit)]).await?;
            Ok(rows.iter().map(problem).collect::<Result<_, _>>()?)
        })
    }

    async fn acknowledge(&self, id: Uuid, by: Acknowledgement) -> Result<bool, StoreError> {
        transaction!(self, "acknowledging a problem", |transaction| {
            let update = transaction
                .prepare_cached(
                    "UPDATE problems SET acked_at = $2, acked_by = $3, reason = $4 \
                     WHERE id = $1 AND NOT ended AND acked_at IS NULL",
                )
                .await?;
            let updated = transaction
                .execute(&update, &[&id, &cut(by.at), &by.by, &by.reason])
                .await?;
            Ok(updated > 0)
        })
    }

    async fn take_reminders(
        &self,
        now: Timestamp,
        after: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Problem>, StoreError> {
        let before = cut(now - after);
        transaction!(self, "taking reminders", |transaction| {
            let update = transaction
                .prepare_cached(&format!(
                    "UPDATE problems SET told_at = $1 WHERE id = ANY (ARRAY(SELECT id \
                     FROM problems WHERE NOT ended AND acked_at IS NULL AND told_at <= $2 \
                     ORDER BY told_at LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING {COLUMNS}"
                ))
                .await?;
            let rows = transaction
                .query(&update, &[&cut(now), &before, &i64::from(limit)])
                .await?;
            let mut problems: Vec<Problem> = rows.iter().map(problem).collect::<Result<_, _>>()?;
            problems.sort_by_key(|problem| (problem.since, problem.id));
            Ok(problems)
        })
    }
}

fn problem(row: &Row) -> Result<Problem, tokio_postgres::Error> {
    let acked_at: Option<Timestamp> = row.try_get("acked_at")?;
    let acknowledged = match acked_at {
        Some(at) => Some(Acknowledgement {
            at,
            by: row.try_get("acked_by")?,
            reason: row
                .try_get::<_, Option<String>>("reason")?
                .unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Problem {
        id: row.try_get("id")?,
        since: row.try_get("at")?,
        body: row.try_get("body")?,
        told_at: row.try_get("told_at")?,
        acknowledged,
    })
}
