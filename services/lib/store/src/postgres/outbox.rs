//! The outbox in PostgreSQL.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Postgres, Problem};
use crate::StoreError;
use crate::columns::{cut, lease_end, number};
use crate::outbox::{Outbox, OutboxMessage, Topic};

/// Two statements and no join, because the planner would read the whole table for a join with a
/// number of rows that it cannot know.
const DUE: &str = "SELECT id, route, body FROM outbox WHERE topic = $1 AND due_at <= $2 \
     ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED";

/// Saves messages that are due at once; a known one is left as it is.
pub(super) async fn save(
    transaction: &Transaction<'_>,
    messages: &[OutboxMessage],
    now: Timestamp,
) -> Result<(), Problem> {
    if messages.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    let topics: Vec<_> = messages.iter().map(|m| m.topic.as_str()).collect();
    let routes: Vec<_> = messages.iter().map(|m| m.route.as_str()).collect();
    let bodies: Vec<_> = messages.iter().map(|m| m.body.as_slice()).collect();
    let insert = transaction
        .prepare_cached(
            "INSERT INTO outbox (id, topic, route, body, due_at) SELECT id, topic, route, body, $5 \
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) WITH ORDINALITY \
             AS r (id, topic, route, body, place) ORDER BY place ON CONFLICT (id) DO NOTHING",
        )
        .await?;
    transaction
        .execute(&insert, &[&ids, &topics, &routes, &bodies, &cut(now)])
        .await?;
    Ok(())
}

#[async_trait]
impl Outbox for Postgres {
    async fn claim_outbox(
        &self,
        topic: Topic,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let until = lease_end(now, lease);
        transaction!(self, "claiming messages of the outbox", |transaction| {
            let due = transaction.prepare_cached(DUE).await?;
            let due = transaction
                .query(&due, &[&topic.as_str(), &cut(now), &i64::from(limit)])
                .await?;
            let mut claimed = Vec::with_capacity(due.len());
            for row in due {
                claimed.push(OutboxMessage {
                    id: row.try_get("id")?,
                    topic,
                    route: row.try_get("route")?,
                    body: row.try_get("body")?,
                });
            }
            let ids: Vec<_> = claimed.iter().map(|message| message.id).collect();
            postpone(transaction, &ids, until).await?;
            Ok(claimed)
        })
    }

    async fn outbox_published(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        transaction!(self, "deleting published messages", |transaction| {
            let delete = transaction
                .prepare_cached("DELETE FROM outbox WHERE id = ANY($1)")
                .await?;
            transaction.execute(&delete, &[&ids]).await?;
            Ok(())
        })
    }

    async fn outbox_postponed(&self, ids: &[Uuid], at: Timestamp) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        transaction!(self, "postponing messages of the outbox", |transaction| {
            postpone(transaction, &ids, cut(at)).await
        })
    }

    async fn outbox_depth(&self, topic: Topic) -> Result<u64, StoreError> {
        transaction!(self, "counting the outbox", |transaction| {
            let count = transaction
                .prepare_cached("SELECT count(*) FROM outbox WHERE topic = $1")
                .await?;
            let row = transaction.query_one(&count, &[&topic.as_str()]).await?;
            Ok(number("count", row.try_get(0)?)?)
        })
    }
}

async fn postpone(
    transaction: &Transaction<'_>,
    ids: &[Uuid],
    at: Timestamp,
) -> Result<(), Problem> {
    if ids.is_empty() {
        return Ok(());
    }
    let postpone = transaction
        .prepare_cached("UPDATE outbox SET due_at = $2 WHERE id = ANY($1)")
        .await?;
    transaction.execute(&postpone, &[&ids, &at]).await?;
    Ok(())
}
