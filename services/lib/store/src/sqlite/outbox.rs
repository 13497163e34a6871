//! The outbox in SQLite.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Transaction, params};
use uuid::Uuid;

use super::rows;
use super::{Problem, Sqlite};
use crate::StoreError;
use crate::columns::lease_end;
use crate::outbox::{Outbox, OutboxMessage, Topic};

/// Saves messages that are due at once; a known one is left as it is.
pub(super) fn save(
    transaction: &Transaction<'_>,
    messages: &[OutboxMessage],
    now: i64,
) -> Result<(), Problem> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO outbox (id, topic, route, body, due_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (id) DO NOTHING",
    )?;
    for message in messages {
        insert.execute(params![
            message.id.as_bytes(),
            message.topic.as_str(),
            message.route,
            message.body,
            now
        ])?;
    }
    Ok(())
}

#[async_trait]
impl Outbox for Sqlite {
    async fn claim_outbox(
        &self,
        topic: Topic,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let until = lease_end(now, lease).as_microsecond();
        self.transaction("claiming messages of the outbox", move |transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT id, route, body FROM outbox WHERE topic = ?1 AND due_at <= ?2 \
                 ORDER BY due_at, seq LIMIT ?3",
            )?;
            let claimed = select.query_map(
                params![topic.as_str(), now.as_microsecond(), limit],
                |row| {
                    Ok(OutboxMessage {
                        id: rows::uuid(row, "id")?,
                        topic,
                        route: row.get("route")?,
                        body: row.get("body")?,
                    })
                },
            )?;
            let claimed: Vec<_> = claimed.collect::<Result<_, _>>()?;
            let ids: Vec<_> = claimed.iter().map(|message| message.id).collect();
            postpone(transaction, &ids, until)?;
            Ok(claimed)
        })
        .await
    }

    async fn outbox_published(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.transaction("deleting published messages", move |transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
            for id in &ids {
                delete.execute([id.as_bytes()])?;
            }
            Ok(())
        })
        .await
    }

    async fn outbox_postponed(&self, ids: &[Uuid], at: Timestamp) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.transaction("postponing messages of the outbox", move |transaction| {
            postpone(transaction, &ids, at.as_microsecond())
        })
        .await
    }

    async fn outbox_depth(&self, topic: Topic) -> Result<u64, StoreError> {
        self.transaction("counting the outbox", move |transaction| {
            rows::count(
                transaction,
                "SELECT count(*) FROM outbox WHERE topic = ?1",
                [topic.as_str()],
            )
        })
        .await
    }
}

fn postpone(transaction: &Transaction<'_>, ids: &[Uuid], at: i64) -> Result<(), Problem> {
    let mut update = transaction.prepare_cached("UPDATE outbox SET due_at = ?2 WHERE id = ?1")?;
    for id in ids {
        update.execute(params![id.as_bytes(), at])?;
    }
    Ok(())
}
