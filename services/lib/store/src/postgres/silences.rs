//! Silences in PostgreSQL.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::Postgres;
use crate::StoreError;
use crate::columns::cut;
use crate::silences::{Silence, Silences};

#[async_trait]
impl Silences for Postgres {
    async fn add_silence(&self, silence: Silence) -> Result<(), StoreError> {
        transaction!(self, "saving a silence", |transaction| {
            let insert = transaction
                .prepare_cached(
                    "INSERT INTO silences (id, matcher, reason, author, from_at, until_at) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .await?;
            let Silence {
                id,
                matcher,
                reason,
                author,
                from,
                until,
            } = &silence;
            transaction
                .execute(
                    &insert,
                    &[id, matcher, reason, author, &cut(*from), &cut(*until)],
                )
                .await?;
            Ok(())
        })
    }

    async fn silences(&self, now: Timestamp, ended: bool) -> Result<Vec<Silence>, StoreError> {
        let after = if ended { Timestamp::UNIX_EPOCH } else { now };
        transaction!(self, "reading silences", |transaction| {
            let select = transaction
                .prepare_cached(
                    "SELECT id, matcher, reason, author, from_at, until_at FROM silences \
                     WHERE until_at > $1 ORDER BY until_at, id",
                )
                .await?;
            let rows = transaction.query(&select, &[&cut(after)]).await?;
            let mut silences = Vec::with_capacity(rows.len());
            for row in rows {
                silences.push(Silence {
                    id: row.try_get("id")?,
                    matcher: row.try_get("matcher")?,
                    reason: row.try_get("reason")?,
                    author: row.try_get("author")?,
                    from: row.try_get("from_at")?,
                    until: row.try_get("until_at")?,
                });
            }
            Ok(silences)
        })
    }

    async fn end_silence(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        transaction!(self, "ending a silence", |transaction| {
            let update = transaction
                .prepare_cached(
                    "UPDATE silences SET until_at = greatest($2, from_at) \
                     WHERE id = $1 AND until_at > $2",
                )
                .await?;
            Ok(transaction.execute(&update, &[&id, &cut(now)]).await? > 0)
        })
    }
}
