//! The log of deliveries in SQLite.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::{Sqlite, rows};
use crate::StoreError;
use crate::columns::parse;
use crate::deliveries::{
    Deliveries, Delivery, DeliveryFilter, DeliveryState, LoggedAttempt, Resent,
};

const COLUMNS: &str = "SELECT d.id, d.channel, d.state, n.created_at, d.due_at, d.ended_at, \
     d.attempts, d.note, n.body, a.number, a.at, a.latency_us, a.status, a.error, a.answer \
     FROM deliveries d JOIN notifications n ON n.id = d.notification_id \
     LEFT JOIN delivery_attempts a ON a.delivery_id = d.id AND a.number = d.attempts";

const AGAIN: &str = "UPDATE deliveries AS d SET ended_at = NULL, due_at = ?2, lease = NULL, note = NULL, \
     attempts_before = attempts, state = CASE WHEN EXISTS (SELECT 1 FROM deliveries o \
     WHERE o.channel = d.channel AND o.order_key = d.order_key AND o.ended_at IS NULL) \
     THEN 'waiting' ELSE 'pending' END WHERE id = ?1";

const SOONER: &str =
    "UPDATE deliveries SET due_at = ?2, lease = NULL, attempts_before = attempts WHERE id = ?1";

#[async_trait]
impl Deliveries for Sqlite {
    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.transaction("reading the deliveries", move |transaction| {
            let mut select = transaction.prepare_cached(&format!(
                "{COLUMNS} WHERE (?1 IS NULL OR d.channel = ?1) \
                 AND (?2 IS NULL OR d.state = ?2) ORDER BY d.seq DESC LIMIT ?3"
            ))?;
            let state = filter.state.map(DeliveryState::as_str);
            let found = select.query_map(params![filter.channel, state, limit], delivery)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn deliveries_between(
        &self,
        first: Uuid,
        last: Uuid,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.transaction("reading deliveries", move |transaction| {
            let mut select = transaction.prepare_cached(&format!(
                "{COLUMNS} WHERE d.id BETWEEN ?1 AND ?2 ORDER BY d.id LIMIT ?3"
            ))?;
            let between = params![first.as_bytes(), last.as_bytes(), limit];
            let found = select.query_map(between, delivery)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn attempts(&self, delivery: Uuid) -> Result<Vec<LoggedAttempt>, StoreError> {
        self.transaction("reading attempts", move |transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT number, at, latency_us, status, error, answer \
                 FROM delivery_attempts WHERE delivery_id = ?1 ORDER BY number",
            )?;
            let found = select.query_map([delivery.as_bytes()], attempt)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn resend(&self, delivery: Uuid, now: Timestamp) -> Result<Option<Resent>, StoreError> {
        let now = now.as_microsecond();
        self.transaction("sending again", move |transaction| {
            let found = transaction
                .prepare_cached(
                    "SELECT state, lease IS NOT NULL AND due_at > ?2 FROM deliveries WHERE id = ?1",
                )?
                .query_row(params![delivery.as_bytes(), now], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let Some((state, under_way)): Option<(String, bool)> = found else {
                return Ok(None);
            };
            let (update, resent) = match parse("state", &state)? {
                DeliveryState::Waiting => return Ok(Some(Resent::Waiting)),
                DeliveryState::Pending if under_way => return Ok(Some(Resent::UnderWay)),
                DeliveryState::Pending => (SOONER, Resent::Sooner),
                DeliveryState::Delivered | DeliveryState::GivenUp => (AGAIN, Resent::Again),
            };
            transaction
                .prepare_cached(update)?
                .execute(params![delivery.as_bytes(), now])?;
            Ok(Some(resent))
        })
        .await
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let state: String = row.get("state")?;
    let has_last: Option<u32> = row.get("number")?;
    Ok(Delivery {
        id: rows::uuid(row, "id")?,
        channel: row.get("channel")?,
        state: state
            .parse()
            .map_err(|error| rows::unreadable(Type::Text, error))?,
        created_at: rows::time(row, "created_at")?,
        due_at: rows::time(row, "due_at")?,
        ended_at: rows::optional_time(row, "ended_at")?,
        attempts: row.get("attempts")?,
        note: row.get("note")?,
        body: row.get("body")?,
        last: has_last.map(|_| attempt(row)).transpose()?,
    })
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<LoggedAttempt> {
    Ok(LoggedAttempt {
        number: row.get("number")?,
        at: rows::time(row, "at")?,
        latency: SignedDuration::from_micros(row.get("latency_us")?),
        status: row.get("status")?,
        error: row.get("error")?,
        answer: row.get("answer")?,
    })
}
