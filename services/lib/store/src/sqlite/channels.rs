//! How channels fare, in SQLite.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Row, Transaction, params};

use super::{Problem, Sqlite, rows};
use crate::StoreError;
use crate::channels::{ChannelState, Channels, Off, Outcome};
use crate::columns::number;

const IN_TROUBLE: &str = "SELECT name, failing_since, off_at, off_by, off_reason FROM channels \
     WHERE failing_since IS NOT NULL OR off_at IS NOT NULL ORDER BY name";

const WAITING: &str =
    "SELECT channel, count(*) FROM deliveries WHERE ended_at IS NULL GROUP BY channel";

const GIVEN_UP: &str =
    "SELECT channel, count(*) FROM deliveries WHERE state = 'given_up' GROUP BY channel";

const SWITCH_OFF: &str = "INSERT INTO channels (name, off_at, off_by, off_reason) \
     VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE SET off_at = excluded.off_at, \
     off_by = excluded.off_by, off_reason = excluded.off_reason WHERE channels.off_at IS NULL";

/// What is under way keeps its lease, and counts as soon as it has ended.
const GIVE_UP: &str = "UPDATE deliveries SET state = 'given_up', ended_at = ?2, lease = NULL, \
     note = 'the channel was switched off: ' || ?3 \
     WHERE channel = ?1 AND ended_at IS NULL AND (lease IS NULL OR due_at <= ?2)";

const SWITCH_ON: &str = "UPDATE channels SET failing_since = NULL, off_at = NULL, off_by = NULL, \
     off_reason = NULL WHERE name = ?1 AND off_at IS NOT NULL";

const WORKS: &str =
    "UPDATE channels SET failing_since = NULL WHERE name = ?1 AND failing_since IS NOT NULL";

const FAILS: &str = "INSERT INTO channels (name, failing_since) VALUES (?1, ?2) \
     ON CONFLICT (name) DO UPDATE SET failing_since = excluded.failing_since \
     WHERE channels.failing_since IS NULL";

/// Notes what attempts came to.
pub(super) fn note(
    transaction: &Transaction<'_>,
    outcomes: BTreeMap<String, Outcome>,
) -> Result<(), Problem> {
    for (channel, outcome) in outcomes {
        match outcome {
            Outcome::Works => transaction.prepare_cached(WORKS)?.execute([channel])?,
            Outcome::FailsSince(at) => transaction
                .prepare_cached(FAILS)?
                .execute(params![channel, at.as_microsecond()])?,
        };
    }
    Ok(())
}

/// Whether nobody is told by the channel.
pub(super) fn is_off(transaction: &Transaction<'_>, channel: &str) -> Result<bool, Problem> {
    Ok(transaction
        .prepare_cached("SELECT 1 FROM channels WHERE name = ?1 AND off_at IS NOT NULL")?
        .exists([channel])?)
}

#[async_trait]
impl Channels for Sqlite {
    async fn channels(&self) -> Result<Vec<ChannelState>, StoreError> {
        self.transaction("reading how channels fare", |transaction| {
            let mut all = BTreeMap::new();
            for state in in_trouble(transaction)? {
                all.insert(state.name.clone(), state);
            }
            for (sql, pending) in [(WAITING, true), (GIVEN_UP, false)] {
                let mut select = transaction.prepare_cached(sql)?;
                let counts = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                for count in counts {
                    let (name, count): (String, i64) = count?;
                    let count = number("count", count)?;
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
        .await
    }

    async fn channels_in_trouble(&self) -> Result<Vec<ChannelState>, StoreError> {
        self.transaction("reading which channels fail", in_trouble)
            .await
    }

    async fn switch_off(&self, channel: &str, off: Off) -> Result<bool, StoreError> {
        let channel = channel.to_owned();
        self.transaction("switching a channel off", move |transaction| {
            let at = off.at.as_microsecond();
            let switched = transaction
                .prepare_cached(SWITCH_OFF)?
                .execute(params![channel, at, off.by, off.reason])?;
            if switched == 0 {
                return Ok(false);
            }
            transaction
                .prepare_cached(GIVE_UP)?
                .execute(params![channel, at, off.reason])?;
            transaction
                .prepare_cached("DELETE FROM held WHERE channel = ?1")?
                .execute([&channel])?;
            Ok(true)
        })
        .await
    }

    async fn switch_on(&self, channel: &str) -> Result<bool, StoreError> {
        let channel = channel.to_owned();
        self.transaction("switching a channel on", move |transaction| {
            let switched = transaction.prepare_cached(SWITCH_ON)?.execute([&channel])?;
            Ok(switched > 0)
        })
        .await
    }
}

fn in_trouble(transaction: &Transaction<'_>) -> Result<Vec<ChannelState>, Problem> {
    let mut select = transaction.prepare_cached(IN_TROUBLE)?;
    let found = select.query_map([], state)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn state(row: &Row<'_>) -> rusqlite::Result<ChannelState> {
    let off_at = rows::optional_time(row, "off_at")?;
    let off = match off_at {
        None => None,
        Some(at) => Some(Off {
            at,
            by: row.get("off_by")?,
            reason: row.get("off_reason")?,
        }),
    };
    Ok(ChannelState {
        name: row.get("name")?,
        failing_since: rows::optional_time(row, "failing_since")?,
        off,
        ..ChannelState::default()
    })
}
