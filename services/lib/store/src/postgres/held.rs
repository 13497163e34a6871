//! What waits to be told, in PostgreSQL.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Postgres, Problem, notifications};
use crate::StoreError;
use crate::columns::{cut, micros};
use crate::held::{HeldNotification, HeldNotifications, Hold, Release, Waiting};
use crate::notifications::NewNotification;

/// Joins what waits already, or waits from now on, and at least until the interval since it was told is over.
const GROUP: &str = "INSERT INTO held (channel, digest, order_key, notification_id, due_at) \
     SELECT $1, false, $2, $3, coalesce( \
     (SELECT min(due_at) FROM held WHERE channel = $1 AND order_key = $2 AND NOT digest), \
     greatest($4::timestamptz + $5::bigint * interval '1 microsecond', \
     (SELECT max(at) FROM told WHERE channel = $1 AND order_key IN ($2, '')) \
     + $6::bigint * interval '1 microsecond'))";

const DIGEST: &str = "INSERT INTO held (channel, digest, order_key, notification_id, due_at) \
     VALUES ($1, true, $2, $3, $4)";

const GROUPS_DUE: &str = "SELECT h.seq, h.due_at, n.body FROM held h \
     JOIN notifications n ON n.id = h.notification_id \
     WHERE h.channel = $1 AND NOT h.digest AND EXISTS (SELECT FROM held \
     WHERE channel = $1 AND NOT digest AND due_at <= $2) ORDER BY h.seq LIMIT $3";

const DIGEST_DUE: &str = "SELECT h.seq, h.due_at, n.body FROM held h \
     JOIN notifications n ON n.id = h.notification_id \
     WHERE h.channel = $1 AND h.digest AND h.due_at <= $2 ORDER BY h.seq LIMIT $3";

const NEXT: &str = "SELECT min(one.due_at) FROM unnest($1::text[]) AS c (channel) \
     CROSS JOIN (VALUES (false), (true)) AS d (digest) \
     CROSS JOIN LATERAL (SELECT due_at FROM held h WHERE h.channel = c.channel \
     AND h.digest = d.digest ORDER BY due_at LIMIT 1) AS one";

const TOLD: &str = "INSERT INTO told (channel, order_key, at) SELECT $1, order_key, $3 \
     FROM unnest($2::text[]) AS r (order_key) \
     ON CONFLICT (channel, order_key) DO UPDATE SET at = greatest(told.at, excluded.at)";

/// Saves what of a new notification waits.
pub(super) async fn save(
    transaction: &Transaction<'_>,
    notification: &NewNotification,
) -> Result<(), Problem> {
    for held in &notification.held {
        let (channel, key, id) = (&held.channel, &notification.order_key, &notification.id);
        match held.hold {
            Hold::Group { wait, interval } => {
                let now = cut(notification.created_at);
                let insert = transaction.prepare_cached(GROUP).await?;
                transaction
                    .execute(
                        &insert,
                        &[channel, key, id, &now, &micros(wait), &micros(interval)],
                    )
                    .await?;
            }
            Hold::Digest(at) => {
                let insert = transaction.prepare_cached(DIGEST).await?;
                transaction
                    .execute(&insert, &[channel, key, id, &cut(at)])
                    .await?;
            }
        }
    }
    Ok(())
}

#[async_trait]
impl HeldNotifications for Postgres {
    async fn held(
        &self,
        channel: &str,
        waiting: Waiting,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<HeldNotification>, StoreError> {
        let channel = channel.to_owned();
        transaction!(self, "reading what waits to be told", |transaction| {
            let select = transaction
                .prepare_cached(match waiting {
                    Waiting::Groups => GROUPS_DUE,
                    Waiting::Digest => DIGEST_DUE,
                })
                .await?;
            let rows = transaction
                .query(&select, &[&channel, &cut(now), &i64::from(limit)])
                .await?;
            let mut held = Vec::with_capacity(rows.len());
            for row in rows {
                held.push(HeldNotification {
                    seq: row.try_get("seq")?,
                    due_at: row.try_get("due_at")?,
                    body: row.try_get("body")?,
                });
            }
            Ok(held)
        })
    }

    async fn release(&self, release: Release) -> Result<bool, StoreError> {
        let mut release = release;
        // Everybody takes the locks on order keys in the same order.
        let key = |one: &NewNotification| one.order_key.clone();
        release.notifications.sort_by_key(key);
        transaction!(self, "telling what waited", |transaction| {
            let lock = transaction
                .prepare_cached("SELECT seq FROM held WHERE seq = ANY($1) ORDER BY seq FOR UPDATE")
                .await?;
            let found = transaction.query(&lock, &[&release.seqs]).await?;
            if found.len() != release.seqs.len() {
                return Ok(false);
            }
            let delete = transaction
                .prepare_cached("DELETE FROM held WHERE seq = ANY($1)")
                .await?;
            transaction.execute(&delete, &[&release.seqs]).await?;
            for notification in &release.notifications {
                notifications::save(transaction, notification).await?;
            }
            let told = transaction.prepare_cached(TOLD).await?;
            transaction
                .execute(&told, &[&release.channel, &release.told, &cut(release.now)])
                .await?;
            Ok(true)
        })
    }

    async fn next_held(&self, channels: &[String]) -> Result<Option<Timestamp>, StoreError> {
        let channels = channels.to_vec();
        transaction!(self, "reading when what waits is due", |transaction| {
            let select = transaction.prepare_cached(NEXT).await?;
            Ok(transaction
                .query_one(&select, &[&channels])
                .await?
                .try_get(0)?)
        })
    }
}
