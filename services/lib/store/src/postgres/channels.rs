//! How channels fare, in PostgreSQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Postgres, Problem};
use crate::StoreError;
use crate::channels::{ChannelState, Channels, Off, Outcome};
use crate::columns::{cut, number};

const IN_TROUBLE: &str = "SELECT name, failing_since, off_at, off_by, off_reason FROM channels \
     WHERE failing_since IS NOT NULL OR off_at IS NOT NULL ORDER BY name";

const WAITING: &str =
    "SELECT channel, count(*) FROM deliveries WHERE ended_at IS NULL GROUP BY channel";

const GIVEN_UP: &str =
    "SELECT channel, count(*) FROM deliveries WHERE state = 'given_up' GROUP BY channel";

const SWITCH_OFF: &str = "INSERT INTO channels (name, off_at, off_by, off_reason) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET off_at = excluded.off_at, \
     off_by = excluded.off_by, off_reason = excluded.off_reason WHERE channels.off_at IS NULL";

/// What is under way keeps its lease, and counts as soon as it has ended.
const GIVE_UP: &str = "UPDATE deliveries SET state = 'given_up', ended_at = $2, lease = NULL, \
     note = 'the channel was switched off: ' || $3 \
     WHERE channel = $1 AND ended_at IS NULL AND (lease IS NULL OR due_at <= $2)";

const SWITCH_ON: &str = "UPDATE channels SET failing_since = NULL, off_at = NULL, off_by = NULL, \
     off_reason = NULL WHERE name = $1 AND off_at IS NOT NULL";

const WORKS: &str =
    "UPDATE channels SET failing_since = NULL WHERE name = $1 AND failing_since IS NOT NULL";

const FAILS: &str = "INSERT INTO channels (name, failing_since) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET failing_since = excluded.failing_since \
     WHERE channels.failing_since IS NULL";

/// Notes what attempts came to. In one order, so that two who note never wait for each other in a circle.
pub(super) async fn note(
    transaction: &Transaction<'_>,
    outcomes: BTreeMap<String, Outcome>,
) -> Result<(), Problem> {
    for (channel, outcome) in outcomes {
        match outcome {
            Outcome::Works => {
                let works = transaction.prepare_cached(WORKS).await?;
                transaction.execute(&works, &[&channel]).await?;
            }
            Outcome::FailsSince(at) => {
                let fails = transaction.prepare_cached(FAILS).await?;
                transaction.execute(&fails, &[&channel, &cut(at)]).await?;
            }
        }
    }
    Ok(())
}

/// Whether nobody is told by the channel.
pub(super) async fn is_off(transaction: &Transaction<'_>, channel: &str) -> Result<bool, Problem> {
    let select = transaction
        .prepare_cached("SELECT FROM channels WHERE name = $1 AND off_at IS NOT NULL")
        .await?;
    Ok(transaction.query_opt(&select, &[&channel]).await?.is_some())
}

#[async_trait]
impl Channels for Postgres {
    async fn channels(&self) -> Result<Vec<ChannelState>, StoreError> {
        transaction!(self, "reading how channels fare", |transaction| {
            let mut all = BTreeMap::new();
            for state in in_trouble(transaction).await? {
                all.insert(state.name.clone(), state);
            }
            for (sql, pending) in [(WAITING, true), (GIVEN_UP, false)] {
                let select = transaction.prepare_cached(sql).await?;
                for row in transaction.query(&select, &[]).await? {
                    let name: String = row.try_get(0)?;
                    let count = number("count", row.try_get(1)?)?;
                    let state = all.entry(name.clone()).or_insert_with(|| ChannelState {
                        name,
                        ..ChannelState::default()
                    });
                    if pending {
                        state.pending = count;
                    } else {
                        state.given_up = count;
                    }
                }
            }
            Ok(all.into_values().collect())
        })
    }

    async fn channels_in_trouble(&self) -> Result<Vec<ChannelState>, StoreError> {
        transaction!(self, "reading which channels fail", |transaction| {
            in_trouble(transaction).await
        })
    }

    async fn switch_off(&self, channel: &str, off: Off) -> Result<bool, StoreError> {
        let channel = channel.to_owned();
        transaction!(self, "switching a channel off", |transaction| {
            let Off { at, by, reason } = &off;
            let at = cut(*at);
            let switch = transaction.prepare_cached(SWITCH_OFF).await?;
            let switched = transaction
                .execute(&switch, &[&channel, &at, by, reason])
                .await?;
            if switched == 0 {
                return Ok(false);
            }
            let give_up = transaction.prepare_cached(GIVE_UP).await?;
            transaction
                .execute(&give_up, &[&channel, &at, reason])
                .await?;
            let delete = transaction
                .prepare_cached("DELETE FROM held WHERE channel = $1")
                .await?;
            transaction.execute(&delete, &[&channel]).await?;
            Ok(true)
        })
    }

    async fn switch_on(&self, channel: &str) -> Result<bool, StoreError> {
        let channel = channel.to_owned();
        transaction!(self, "switching a channel on", |transaction| {
            let switch = transaction.prepare_cached(SWITCH_ON).await?;
            Ok(transaction.execute(&switch, &[&channel]).await? > 0)
        })
    }
}

async fn in_trouble(transaction: &Transaction<'_>) -> Result<Vec<ChannelState>, Problem> {
    let select = transaction.prepare_cached(IN_TROUBLE).await?;
    let rows = transaction.query(&select, &[]).await?;
    rows.iter().map(state).collect()
}

fn state(row: &Row) -> Result<ChannelState, Problem> {
    let off_at: Option<Timestamp> = row.try_get("off_at")?;
    let off = match off_at {
        None => None,
        Some(at) => Some(Off {
            at,
            by: row.try_get("off_by")?,
            reason: row.try_get("off_reason")?,
        }),
    };
    Ok(ChannelState {
        name: row.try_get("name")?,
        failing_since: row.try_get("failing_since")?,
        off,
        ..ChannelState::default()
    })
}
