//! The log of deliveries in PostgreSQL.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::notifications::lock;
use super::{Postgres, Problem};
use crate::StoreError;
use crate::columns::{cut, number, parse};
use crate::deliveries::{
    Deliveries, Delivery, DeliveryFilter, DeliveryState, LoggedAttempt, Resent,
};

const COLUMNS: &str = "SELECT d.id, d.channel, d.state, n.created_at, d.due_at, d.ended_at, \
     d.attempts, d.note, n.body, a.number, a.at, a.latency_us, a.status, a.error, a.answer \
     FROM deliveries d JOIN notifications n ON n.id = d.notification_id \
     LEFT JOIN delivery_attempts a ON a.delivery_id = d.id AND a.number = d.attempts";

const AGAIN: &str = "UPDATE deliveries d SET ended_at = NULL, due_at = $2, lease = NULL, note = NULL, \
     attempts_before = attempts, state = CASE WHEN EXISTS (SELECT FROM deliveries o \
     WHERE o.channel = d.channel AND o.order_key = d.order_key AND o.ended_at IS NULL) \
     THEN 'waiting' ELSE 'pending' END WHERE id = $1";

const SOONER: &str =
    "UPDATE deliveries SET due_at = $2, lease = NULL, attempts_before = attempts WHERE id = $1";

#[async_trait]
impl Deliveries for Postgres {
    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        transaction!(self, "reading the deliveries", |transaction| {
            let select = transaction
                .prepare_cached(&format!(
                    "{COLUMNS} WHERE ($1::text IS NULL OR d.channel = $1) \
                     AND ($2::text IS NULL OR d.state = $2) ORDER BY d.seq DESC LIMIT $3"
                ))
                .await?;
            let state = filter.state.map(DeliveryState::as_str);
            let rows = transaction
                .query(&select, &[&filter.channel, &state, &i64::from(limit)])
                .await?;
            rows.iter().map(delivery).collect()
        })
    }

    async fn deliveries_between(
        &self,
        first: Uuid,
        last: Uuid,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        transaction!(self, "reading deliveries", |transaction| {
            let select = transaction
                .prepare_cached(&format!(
                    "{COLUMNS} WHERE d.id BETWEEN $1 AND $2 ORDER BY d.id LIMIT $3"
                ))
                .await?;
            let rows = transaction
                .query(&select, &[&first, &last, &i64::from(limit)])
                .await?;
            rows.iter().map(delivery).collect()
        })
    }

    async fn attempts(&self, delivery: Uuid) -> Result<Vec<LoggedAttempt>, StoreError> {
        transaction!(self, "reading attempts", |transaction| {
            let select = transaction
                .prepare_cached(
                    "SELECT number, at, latency_us, status, error, answer \
                     FROM delivery_attempts WHERE delivery_id = $1 ORDER BY number",
                )
                .await?;
            let rows = transaction.query(&select, &[&delivery]).await?;
            rows.iter().map(attempt).collect()
        })
    }

    async fn resend(&self, delivery: Uuid, now: Timestamp) -> Result<Option<Resent>, StoreError> {
        let now = cut(now);
        transaction!(self, "sending again", |transaction| {
            let select = transaction
                .prepare_cached("SELECT order_key FROM deliveries WHERE id = $1")
                .await?;
            let Some(found) = transaction.query_opt(&select, &[&delivery]).await? else {
                return Ok(None);
            };
            lock(transaction, found.try_get(0)?).await?;
            let select = transaction
                .prepare_cached(
                    "SELECT state, lease IS NOT NULL AND due_at > $2 AS under_way \
                     FROM deliveries WHERE id = $1 FOR UPDATE",
                )
                .await?;
            let Some(found) = transaction.query_opt(&select, &[&delivery, &now]).await? else {
                return Ok(None);
            };
            let (update, resent) = match parse("state", found.try_get("state")?)? {
                DeliveryState::Waiting => return Ok(Some(Resent::Waiting)),
                DeliveryState::Pending if found.try_get("under_way")? => {
                    return Ok(Some(Resent::UnderWay));
                }
                DeliveryState::Pending => (SOONER, Resent::Sooner),
                DeliveryState::Delivered | DeliveryState::GivenUp => (AGAIN, Resent::Again),
            };
            let update = transaction.prepare_cached(update).await?;
            transaction.execute(&update, &[&delivery, &now]).await?;
            Ok(Some(resent))
        })
    }
}

fn delivery(row: &Row) -> Result<Delivery, Problem> {
    let has_last: Option<i32> = row.try_get("number")?;
    Ok(Delivery {
        id: row.try_get("id")?,
        channel: row.try_get("channel")?,
        state: parse("state", row.try_get("state")?)?,
        created_at: row.try_get("created_at")?,
        due_at: row.try_get("due_at")?,
        ended_at: row.try_get("ended_at")?,
        attempts: number("attempts", row.try_get::<_, i32>("attempts")?.into())?,
        note: row.try_get("note")?,
        body: row.try_get("body")?,
        last: has_last.map(|_| attempt(row)).transpose()?,
    })
}

fn attempt(row: &Row) -> Result<LoggedAttempt, Problem> {
    let status: Option<i32> = row.try_get("status")?;
    Ok(LoggedAttempt {
        number: number("number", row.try_get::<_, i32>("number")?.into())?,
        at: row.try_get("at")?,
        latency: SignedDuration::from_micros(row.try_get("latency_us")?),
        status: status
            .map(|status| number("status", status.into()))
            .transpose()?,
        error: row.try_get("error")?,
        answer: row.try_get("answer")?,
    })
}
