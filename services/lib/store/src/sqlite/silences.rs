//! Silences in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::params;
use uuid::Uuid;

use super::{Sqlite, rows};
use crate::StoreError;
use crate::silences::{Silence, Silences};

#[async_trait]
impl Silences for Sqlite {
    async fn add_silence(&self, silence: Silence) -> Result<(), StoreError> {
        self.transaction("saving a silence", move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO silences (id, matcher, reason, author, from_at, until_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    silence.id.as_bytes(),
                    silence.matcher,
                    silence.reason,
                    silence.author,
                    silence.from.as_microsecond(),
                    silence.until.as_microsecond()
                ])?;
            Ok(())
        })
        .await
    }

    async fn silences(&self, now: Timestamp, ended: bool) -> Result<Vec<Silence>, StoreError> {
        let after = if ended { Timestamp::UNIX_EPOCH } else { now };
        self.transaction("reading silences", move |transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT id, matcher, reason, author, from_at, until_at FROM silences \
                 WHERE until_at > ?1 ORDER BY until_at, id",
            )?;
            let found = select.query_map([after.as_microsecond()], |row| {
                Ok(Silence {
                    id: rows::uuid(row, "id")?,
                    matcher: row.get("matcher")?,
                    reason: row.get("reason")?,
                    author: row.get("author")?,
                    from: rows::time(row, "from_at")?,
                    until: rows::time(row, "until_at")?,
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn end_silence(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        self.transaction("ending a silence", move |transaction| {
            let ended = transaction
                .prepare_cached(
                    "UPDATE silences SET until_at = max(?2, from_at) \
                     WHERE id = ?1 AND until_at > ?2",
                )?
                .execute(params![id.as_bytes(), now.as_microsecond()])?;
            Ok(ended > 0)
        })
        .await
    }
}
