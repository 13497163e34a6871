//! Notifications and deliveries in SQLite.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::{Problem, Sqlite, channels, held, problems, rows};
use crate::StoreError;
use crate::channels::outcomes;
use crate::columns::{lease_end, micros};
use crate::notifications::{
    Attempt, DeliveryCounts, DueDelivery, EndedAttempt, NewNotification, NextStep, Notifications,
};

#[async_trait]
impl Notifications for Sqlite {
    async fn save_notification(&self, notification: NewNotification) -> Result<bool, StoreError> {
        self.transaction("saving a notification", move |transaction| {
            save(transaction, &notification)
        })
        .await
    }

    async fn claim_deliveries(
        &self,
        channels: &[String],
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let channels = channels.to_vec();
        let until = lease_end(now, lease).as_microsecond();
        self.transaction("claiming deliveries", move |transaction| {
            let mut claimed = due(transaction, &channels, now.as_microsecond(), limit)?;
            let mut claim = transaction
                .prepare_cached("UPDATE deliveries SET due_at = ?2, lease = ?3 WHERE id = ?1")?;
            for delivery in &mut claimed {
                delivery.lease = Uuid::new_v4();
                claim.execute(params![
                    delivery.id.as_bytes(),
                    until,
                    delivery.lease.as_bytes()
                ])?;
            }
            Ok(claimed)
        })
        .await
    }

    async fn record_attempts(&self, ended: Vec<EndedAttempt>) -> Result<Vec<bool>, StoreError> {
        self.transaction("recording attempts of deliveries", move |transaction| {
            let recorded = ended
                .iter()
                .map(|ended| record(transaction, ended.delivery, ended.lease, &ended.attempt))
                .collect::<Result<Vec<_>, _>>()?;
            channels::note(transaction, outcomes(&recorded, &ended))?;
            Ok(recorded.iter().map(Option::is_some).collect())
        })
        .await
    }

    async fn next_delivery(&self, channels: &[String]) -> Result<Option<Timestamp>, StoreError> {
        let channels = channels.to_vec();
        self.transaction("reading when a delivery is due", move |transaction| {
            let mut earliest = None;
            for channel in &channels {
                let micros: Option<i64> = rows::optional(
                    transaction,
                    "SELECT due_at FROM deliveries WHERE state = 'pending' AND channel = ?1 \
                     ORDER BY due_at LIMIT 1",
                    [channel],
                )?;
                earliest = earliest.into_iter().chain(micros).min();
            }
            Ok(rows::timestamp("due_at", earliest)?)
        })
        .await
    }

    async fn count_deliveries(&self) -> Result<DeliveryCounts, StoreError> {
        self.transaction("counting deliveries", |transaction| {
            let count = |sql| rows::count(transaction, sql, []);
            Ok(DeliveryCounts {
                pending: count("SELECT count(*) FROM deliveries WHERE ended_at IS NULL")?,
                given_up: count("SELECT count(*) FROM deliveries WHERE state = 'given_up'")?,
            })
        })
        .await
    }
}

pub(super) fn save(
    transaction: &Transaction<'_>,
    notification: &NewNotification,
) -> Result<bool, Problem> {
    let id = notification.id.as_bytes();
    let created_at = notification.created_at.as_microsecond();
    let new = transaction
        .prepare_cached(
            "INSERT INTO notifications (id, created_at, body) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![id, created_at, notification.body])?;
    if new == 0 {
        return Ok(false);
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO deliveries (id, notification_id, channel, order_key, due_at, state) \
         VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN EXISTS (SELECT 1 FROM deliveries \
         WHERE channel = ?3 AND order_key = ?4 AND ended_at IS NULL) \
         THEN 'waiting' ELSE 'pending' END)",
    )?;
    for delivery in &notification.deliveries {
        if channels::is_off(transaction, &delivery.channel)? {
            continue;
        }
        insert.execute(params![
            delivery.id.as_bytes(),
            id,
            delivery.channel,
            notification.order_key,
            created_at
        ])?;
    }
    held::save(transaction, notification)?;
    problems::note(transaction, &notification.problems, notification.created_at)?;
    Ok(true)
}

/// The deliveries that are due; their leases are still to be made. Each channel's oldest by an index, then the oldest
/// of those: with one query over all channels a long line of due deliveries would be sorted at every claim.
fn due(
    transaction: &Transaction<'_>,
    channels: &[String],
    now: i64,
    limit: u32,
) -> Result<Vec<DueDelivery>, Problem> {
    let mut statement = transaction.prepare_cached(
        "SELECT d.id, d.channel, d.attempts - d.attempts_before AS attempts, d.due_at, d.seq, n.body FROM deliveries d \
         JOIN notifications n ON n.id = d.notification_id \
         WHERE d.state = 'pending' AND d.due_at <= ?2 AND d.channel = ?1 \
         ORDER BY d.due_at, d.seq LIMIT ?3",
    )?;
    let mut found: Vec<((i64, i64), DueDelivery)> = Vec::new();
    for channel in channels {
        let of_channel = statement.query_map(params![channel, now, limit], |row| {
            let delivery = DueDelivery {
                id: rows::uuid(row, "id")?,
                channel: row.get("channel")?,
                body: row.get("body")?,
                attempts: row.get("attempts")?,
                lease: Uuid::nil(),
            };
            Ok(((row.get("due_at")?, row.get("seq")?), delivery))
        })?;
        for delivery in of_channel {
            found.push(delivery?);
        }
    }
    found.sort_unstable_by_key(|(place, _)| *place);
    let oldest = found
        .into_iter()
        .take(limit.try_into().unwrap_or(usize::MAX));
    Ok(oldest.map(|(_, delivery)| delivery).collect())
}

/// Records an attempt, and gives its channel; `None` if the lease is another's.
fn record(
    transaction: &Transaction<'_>,
    delivery: Uuid,
    lease: Uuid,
    attempt: &Attempt,
) -> Result<Option<String>, Problem> {
    let at = attempt.at.as_microsecond();
    let is_off = || -> Result<bool, Problem> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN channels c ON c.name = d.channel \
             WHERE d.id = ?1 AND c.off_at IS NOT NULL)";
        let mut select = transaction.prepare_cached(sql)?;
        Ok(select.query_row([delivery.as_bytes()], |row| row.get(0))?)
    };
    let (state, due_at, ended_at) = match attempt.next {
        NextStep::RetryAt(_) if is_off()? => ("given_up", None, Some(at)),
        NextStep::RetryAt(due) => ("pending", Some(due.as_microsecond()), None),
        NextStep::Delivered => ("delivered", None, Some(at)),
        NextStep::GivenUp => ("given_up", None, Some(at)),
    };
    let recorded = transaction
        .prepare_cached(
            "UPDATE deliveries SET state = ?3, due_at = coalesce(?4, due_at), ended_at = ?5, \
             attempts = attempts + 1, lease = NULL \
             WHERE id = ?1 AND lease = ?2 AND state = 'pending' \
             RETURNING attempts, channel, order_key",
        )?
        .query_row(
            params![
                delivery.as_bytes(),
                lease.as_bytes(),
                state,
                due_at,
                ended_at
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((number, channel, order_key)): Option<(u32, String, String)> = recorded else {
        return Ok(None);
    };
    transaction
        .prepare_cached(
            "INSERT INTO delivery_attempts (delivery_id, number, at, latency_us, status, error, \
             answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            delivery.as_bytes(),
            number,
            at,
            micros(attempt.latency).max(0),
            attempt.status,
            attempt.error,
            attempt.answer
        ])?;
    if ended_at.is_some() {
        transaction
            .prepare_cached(
                "UPDATE deliveries SET state = 'pending' WHERE seq = (SELECT min(seq) \
                 FROM deliveries WHERE channel = ?1 AND order_key = ?2 AND ended_at IS NULL)",
            )?
            .execute(params![channel, order_key])?;
    }
    Ok(Some(channel))
}
