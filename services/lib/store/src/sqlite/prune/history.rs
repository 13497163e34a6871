//! Deletes old history, each group's by its own time.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::super::Problem;
use super::BATCH;
use crate::PruneBefore;
use crate::columns::micros;

/// Before when nobody keeps anything, in microseconds since 1970.
pub(super) fn nothing_before(
    transaction: &Transaction<'_>,
    older: PruneBefore,
) -> Result<i64, Problem> {
    let longest: Option<i64> = transaction
        .prepare_cached("SELECT max(keep_history_us) FROM groups")?
        .query_row([], |row| row.get(0))?;
    let longest = longest.unwrap_or(0).max(default(older));
    let before = older.now.as_microsecond().saturating_sub(longest);
    Ok(before.max(Timestamp::MIN.as_microsecond()))
}

/// How long the history is kept of groups that say nothing, in microseconds.
fn default(older: PruneBefore) -> i64 {
    micros(older.now.duration_since(older.history))
}

/// Deletes one batch.
pub(super) fn delete(transaction: &Transaction<'_>, older: PruneBefore) -> Result<usize, Problem> {
    let shortest: Option<i64> = transaction
        .prepare_cached("SELECT min(keep_history_us) FROM groups")?
        .query_row([], |row| row.get(0))?;
    let default = default(older);
    let shortest = shortest.unwrap_or(default).min(default);
    let now = older.now.as_microsecond();
    let deleted = transaction
        .prepare_cached(
            "DELETE FROM history WHERE seq IN (SELECT seq FROM history \
             LEFT JOIN targets ON targets.id = target_id LEFT JOIN groups ON groups.name = group_name \
             WHERE at < ?1 AND at < ?2 - coalesce(keep_history_us, ?3) LIMIT ?4)",
        )?
        .execute(params![now.saturating_sub(shortest), now, default, BATCH])?;
    Ok(deleted)
}
