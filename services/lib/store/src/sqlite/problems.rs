//! What is wrong, in SQLite.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Row, Transaction, params};
use uuid::Uuid;

use super::{Sqlite, rows};
use crate::StoreError;
use crate::problems::{Acknowledgement, Problem, ProblemChange, Problems};

const NOTE: &str = "INSERT INTO problems (id, at, body, ended, told_at) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET at = excluded.at, \
     body = excluded.body, ended = excluded.ended, told_at = excluded.told_at, \
     acked_at = NULL, acked_by = NULL, reason = NULL WHERE excluded.at > problems.at";

const COLUMNS: &str = "id, at, body, told_at, acked_at, acked_by, reason";

/// Notes what changes begin and end.
pub(super) fn note(
    transaction: &Transaction<'_>,
    changes: &[ProblemChange],
    now: Timestamp,
) -> Result<(), super::Problem> {
    let mut note = transaction.prepare_cached(NOTE)?;
    for change in changes {
        note.execute(params![
            change.id.as_bytes(),
            change.at.as_microsecond(),
            change.begins.as_deref().unwrap_or_default(),
            change.begins.is_none(),
            now.as_microsecond()
        ])?;
    }
    Ok(())
}

#[async_trait]
impl Problems for Sqlite {
    async fn problems(&self, limit: u32) -> Result<Vec<Problem>, StoreError> {
        self.transaction("reading what is wrong", move |transaction| {
            let mut select = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM problems WHERE NOT ended ORDER BY at, id LIMIT ?1"
            ))?;
            let problems = select.query_map([limit], problem)?;
            Ok(problems.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn acknowledge(&self, id: Uuid, by: Acknowledgement) -> Result<bool, StoreError> {
        self.transaction("acknowledging a problem", move |transaction| {
            let updated = transaction
                .prepare_cached(
                    "UPDATE problems SET acked_at = ?2, acked_by = ?3, reason = ?4 \
                     WHERE id = ?1 AND NOT ended AND acked_at IS NULL",
                )?
                .execute(params![
                    id.as_bytes(),
                    by.at.as_microsecond(),
                    by.by,
                    by.reason
                ])?;
            Ok(updated > 0)
        })
        .await
    }

    async fn take_reminders(
        &self,
        now: Timestamp,
        after: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Problem>, StoreError> {
        self.transaction("taking reminders", move |transaction| {
            let mut update = transaction.prepare_cached(&format!(
                "UPDATE problems SET told_at = ?1 WHERE id IN (SELECT id FROM problems \
                 WHERE NOT ended AND acked_at IS NULL AND told_at <= ?2 \
                 ORDER BY told_at LIMIT ?3) RETURNING {COLUMNS}"
            ))?;
            let before = (now - after).as_microsecond();
            let taken = update.query_map(params![now.as_microsecond(), before, limit], problem)?;
            let mut problems: Vec<Problem> = taken.collect::<Result<_, _>>()?;
            problems.sort_by_key(|problem| (problem.since, problem.id));
            Ok(problems)
        })
        .await
    }
}

fn problem(row: &Row<'_>) -> rusqlite::Result<Problem> {
    let acknowledged = match rows::optional_time(row, "acked_at")? {
        Some(at) => Some(Acknowledgement {
            at,
            by: row.get("acked_by")?,
            reason: row.get::<_, Option<String>>("reason")?.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Problem {
        id: rows::uuid(row, "id")?,
        since: rows::time(row, "at")?,
        body: row.get("body")?,
        told_at: rows::time(row, "told_at")?,
        acknowledged,
    })
}
