//! The outbox in PostgreSQL.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Postgres, Problem};
use crate::StoreError;
use crate::columns::{cut, lease_end, number};
use crate::outbox::{Outbox, OutboxMessage, Topic};

const CLAIM: &str = "WITH due AS MATERIALIZED (SELECT id, due_at, seq FROM outbox \
     WHERE topic = $1 AND due_at <= $2 ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED) \
     UPDATE outbox o SET due_at = $4 FROM due WHERE o.id = due.id \
     RETURNING o.id, o.route, o.body, due.due_at, due.seq";

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
            let claim = transaction.prepare_cached(CLAIM).await?;
            let mut claimed: Vec<(Timestamp, i64, OutboxMessage)> = Vec::new();
            for row in transaction
                .query(
                    &claim,
                    &[&topic.as_str(), &cut(now), &i64::from(limit), &until],
                )
                .await?
            {
                let message = OutboxMessage {
                    id: row.try_get("id")?,
                    topic,
                    route: row.try_get("route")?,
                    body: row.try_get("body")?,
                };
                claimed.push((row.try_get("due_at")?, row.try_get("seq")?, message));
            }
            claimed.sort_by_key(|&(due_at, seq, _)| (due_at, seq));
            Ok(claimed.into_iter().map(|(_, _, message)| message).collect())
        })
    }

    async fn outbox_published(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        transaction!(self, "deleting published messages", |transaction| {
            let delete = transaction
                .prepare_cached("DELETE FROM outbox WHERE id = ANY($1)")
                .await?;
            transaction.execute(&delete, &[&ids]).await?;
            Ok(())
        })
    }

    async fn outbox_postponed(&self, ids: &[Uuid], at: Timestamp) -> Result<(), StoreError> {
        transaction!(self, "postponing messages of the outbox", |transaction| {
            let postpone = transaction
                .prepare_cached("UPDATE outbox SET due_at = $2 WHERE id = ANY($1)")
                .await?;
            transaction.execute(&postpone, &[&ids, &cut(at)]).await?;
            Ok(())
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
