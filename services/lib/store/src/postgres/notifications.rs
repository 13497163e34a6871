//! Notifications and deliveries in PostgreSQL.
//!
//! The order of deliveries is kept by their state: of those to one channel with one order key the
//! first is `pending` and the others are `waiting`. Whoever adds to such a line or ends its first
//! holds an advisory lock on the order key.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Postgres, Problem, channels, held, problems};
use crate::StoreError;
use crate::channels::outcomes;
use crate::columns::{cut, lease_end, micros, number};
use crate::notifications::{
    Attempt, DeliveryCounts, DueDelivery, EndedAttempt, NewNotification, NextStep, Notifications,
};

/// Each channel's oldest by an index, then the oldest of those: with one query over all channels a
/// long line of due deliveries would be sorted at every claim.
const DUE: &str = "SELECT one.id, one.channel, one.attempts, one.body \
     FROM unnest($1::text[]) AS c (channel) \
     CROSS JOIN LATERAL (SELECT d.id, d.channel, d.attempts - d.attempts_before AS attempts, d.due_at, d.seq, n.body \
     FROM deliveries d JOIN notifications n ON n.id = d.notification_id \
     WHERE d.channel = c.channel AND d.state = 'pending' AND d.due_at <= $2 \
     ORDER BY d.due_at, d.seq LIMIT $3 FOR UPDATE OF d SKIP LOCKED) AS one \
     ORDER BY one.due_at, one.seq LIMIT $3";

const NEXT: &str = "SELECT min(one.due_at) FROM unnest($1::text[]) AS c (channel) \
     CROSS JOIN LATERAL (SELECT due_at FROM deliveries d \
     WHERE d.channel = c.channel AND d.state = 'pending' ORDER BY d.due_at LIMIT 1) AS one";

/// In one order, so that two who lock some of the same keys never wait for each other in a circle.
const LOCK_ALL: &str = "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT \
     hashtextextended(d.order_key, 0) AS key FROM deliveries d WHERE d.id = ANY($1) \
     ORDER BY key) AS keys";

const SAVE_DELIVERIES: &str = "INSERT INTO deliveries (id, notification_id, channel, order_key, \
     due_at, state) SELECT r.id, $1, r.channel, $4, $5, CASE WHEN EXISTS (SELECT FROM deliveries d \
     WHERE d.channel = r.channel AND d.order_key = $4 AND d.ended_at IS NULL) \
     THEN 'waiting' ELSE 'pending' END \
     FROM unnest($2::uuid[], $3::text[]) AS r (id, channel) \
     WHERE NOT EXISTS (SELECT FROM channels c WHERE c.name = r.channel AND c.off_at IS NOT NULL)";

const RECORD: &str = "UPDATE deliveries SET state = $3, due_at = coalesce($4, due_at), \
     ended_at = $5, attempts = attempts + 1, lease = NULL \
     WHERE id = $1 AND lease = $2 AND state = 'pending' RETURNING attempts";

#[async_trait]
impl Notifications for Postgres {
    async fn save_notification(&self, notification: NewNotification) -> Result<bool, StoreError> {
        transaction!(self, "saving a notification", |transaction| {
            save(transaction, &notification).await
        })
    }

    async fn claim_deliveries(
        &self,
        channels: &[String],
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let channels = channels.to_vec();
        let until = lease_end(now, lease);
        transaction!(self, "claiming deliveries", |transaction| {
            let due = transaction.prepare_cached(DUE).await?;
            let due = transaction
                .query(&due, &[&channels, &cut(now), &i64::from(limit)])
                .await?;
            let mut claimed = Vec::with_capacity(due.len());
            for row in due {
                claimed.push(DueDelivery {
                    id: row.try_get("id")?,
                    channel: row.try_get("channel")?,
                    body: row.try_get("body")?,
                    attempts: number("attempts", row.try_get::<_, i32>("attempts")?.into())?,
                    lease: Uuid::new_v4(),
                });
            }
            take(transaction, &claimed, until).await?;
            Ok(claimed)
        })
    }

    async fn record_attempts(&self, ended: Vec<EndedAttempt>) -> Result<Vec<bool>, StoreError> {
        transaction!(self, "recording attempts of deliveries", |transaction| {
            lock_all(transaction, &ended).await?;
            // All on one connection, each waiting for its own answers only: so many cost hardly more than one.
            let each = ended.iter().map(|ended| {
                let EndedAttempt {
                    delivery,
                    lease,
                    attempt,
                } = ended;
                record(transaction, *delivery, *lease, attempt)
            });
            let recorded = try_join_all(each).await?;
            channels::note(transaction, outcomes(&recorded, &ended)).await?;
            Ok(recorded.iter().map(Option::is_some).collect())
        })
    }

    async fn next_delivery(&self, channels: &[String]) -> Result<Option<Timestamp>, StoreError> {
        let channels = channels.to_vec();
        transaction!(self, "reading when a delivery is due", |transaction| {
            let select = transaction.prepare_cached(NEXT).await?;
            Ok(transaction
                .query_one(&select, &[&channels])
                .await?
                .try_get(0)?)
        })
    }

    async fn count_deliveries(&self) -> Result<DeliveryCounts, StoreError> {
        transaction!(self, "counting deliveries", |transaction| {
            let count = async |sql| {
                let statement = transaction.prepare_cached(sql).await?;
                let row = transaction.query_one(&statement, &[]).await?;
                Ok::<_, Problem>(number("count", row.try_get(0)?)?)
            };
            Ok(DeliveryCounts {
                pending: count("SELECT count(*) FROM deliveries WHERE ended_at IS NULL").await?,
                given_up: count("SELECT count(*) FROM deliveries WHERE state = 'given_up'").await?,
            })
        })
    }
}

async fn take(
    transaction: &Transaction<'_>,
    claimed: &[DueDelivery],
    until: Timestamp,
) -> Result<(), Problem> {
    if claimed.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = claimed.iter().map(|delivery| delivery.id).collect();
    let leases: Vec<_> = claimed.iter().map(|delivery| delivery.lease).collect();
    let lease = transaction
        .prepare_cached(
            "UPDATE deliveries SET due_at = $3, \
             lease = ($2::uuid[])[array_position($1::uuid[], id)] WHERE id = ANY($1)",
        )
        .await?;
    transaction
        .execute(&lease, &[&ids, &leases, &until])
        .await?;
    Ok(())
}

/// Waits until nobody else changes the lines of this order key.
pub(super) async fn lock(transaction: &Transaction<'_>, order_key: &str) -> Result<(), Problem> {
    let lock = transaction
        .prepare_cached("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .await?;
    transaction.execute(&lock, &[&order_key]).await?;
    Ok(())
}

/// Waits until nobody else changes the lines of these deliveries.
async fn lock_all(transaction: &Transaction<'_>, ended: &[EndedAttempt]) -> Result<(), Problem> {
    let ids: Vec<_> = ended.iter().map(|ended| ended.delivery).collect();
    let lock = transaction.prepare_cached(LOCK_ALL).await?;
    transaction.execute(&lock, &[&ids]).await?;
    Ok(())
}

pub(super) async fn save(
    transaction: &Transaction<'_>,
    notification: &NewNotification,
) -> Result<bool, Problem> {
    lock(transaction, &notification.order_key).await?;
    let created_at = cut(notification.created_at);
    let insert = transaction
        .prepare_cached(
            "INSERT INTO notifications (id, created_at, body) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO NOTHING",
        )
        .await?;
    let new = transaction
        .execute(
            &insert,
            &[&notification.id, &created_at, &notification.body],
        )
        .await?;
    if new == 0 {
        return Ok(false);
    }
    let deliveries = &notification.deliveries;
    let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.id).collect();
    let channels: Vec<_> = deliveries.iter().map(|d| d.channel.as_str()).collect();
    let insert = transaction.prepare_cached(SAVE_DELIVERIES).await?;
    transaction
        .execute(
            &insert,
            &[
                &notification.id,
                &ids,
                &channels,
                &notification.order_key,
                &created_at,
            ],
        )
        .await?;
    held::save(transaction, notification).await?;
    problems::note(transaction, &notification.problems, notification.created_at).await?;
    Ok(true)
}

/// Records an attempt, and gives its channel; `None` if the lease is another's.
async fn record(
    transaction: &Transaction<'_>,
    delivery: Uuid,
    lease: Uuid,
    attempt: &Attempt,
) -> Result<Option<String>, Problem> {
    let at = cut(attempt.at);
    let select = transaction
        .prepare_cached("SELECT order_key, channel FROM deliveries WHERE id = $1 AND lease = $2")
        .await?;
    let Some(held) = transaction.query_opt(&select, &[&delivery, &lease]).await? else {
        return Ok(None);
    };
    let (order_key, channel): (String, String) = (held.try_get(0)?, held.try_get(1)?);
    lock(transaction, &order_key).await?;
    let (state, due_at, ended_at) = match attempt.next {
        NextStep::RetryAt(_) if channels::is_off(transaction, &channel).await? => {
            ("given_up", None, Some(at))
        }
        NextStep::RetryAt(due) => ("pending", Some(cut(due)), None),
        NextStep::Delivered => ("delivered", None, Some(at)),
        NextStep::GivenUp => ("given_up", None, Some(at)),
    };
    let update = transaction.prepare_cached(RECORD).await?;
    let recorded = transaction
        .query_opt(&update, &[&delivery, &lease, &state, &due_at, &ended_at])
        .await?;
    let Some(recorded) = recorded else {
        return Ok(None);
    };
    log(
        transaction,
        delivery,
        recorded.try_get("attempts")?,
        attempt,
    )
    .await?;
    if ended_at.is_some() {
        next_in_line(transaction, &channel, &order_key).await?;
    }
    Ok(Some(channel))
}

async fn log(
    transaction: &Transaction<'_>,
    delivery: Uuid,
    number: i32,
    attempt: &Attempt,
) -> Result<(), Problem> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO delivery_attempts (delivery_id, number, at, latency_us, status, error, \
             answer) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .await?;
    let latency = micros(attempt.latency).max(0);
    let status = attempt.status.map(i32::from);
    transaction
        .execute(
            &insert,
            &[
                &delivery,
                &number,
                &cut(attempt.at),
                &latency,
                &status,
                &attempt.error,
                &attempt.answer,
            ],
        )
        .await?;
    Ok(())
}

async fn next_in_line(
    transaction: &Transaction<'_>,
    channel: &str,
    order_key: &str,
) -> Result<(), Problem> {
    let update = transaction
        .prepare_cached(
            "UPDATE deliveries SET state = 'pending' WHERE id = (SELECT id FROM deliveries \
             WHERE channel = $1 AND order_key = $2 AND ended_at IS NULL ORDER BY seq LIMIT 1)",
        )
        .await?;
    transaction
        .execute(&update, &[&channel, &order_key])
        .await?;
    Ok(())
}
