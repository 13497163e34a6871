//! What waits to be told, in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::{Problem, Sqlite, notifications, rows};
use crate::StoreError;
use crate::columns::micros;
use crate::held::{HeldNotification, HeldNotifications, Hold, Release, Waiting};
use crate::notifications::NewNotification;

/// Joins what waits already, or waits from now on, and at least until the interval since it was told is over.
const GROUP: &str = "INSERT INTO held (channel, digest, order_key, notification_id, due_at) \
     SELECT ?1, 0, ?2, ?3, coalesce( \
     (SELECT min(due_at) FROM held WHERE channel = ?1 AND order_key = ?2 AND NOT digest), \
     max(?4 + ?5, coalesce((SELECT max(at) FROM told \
     WHERE channel = ?1 AND order_key IN (?2, '')) + ?6, 0)))";

const DIGEST: &str = "INSERT INTO held (channel, digest, order_key, notification_id, due_at) \
     VALUES (?1, 1, ?2, ?3, ?4)";

const GROUPS_DUE: &str = "SELECT h.seq, h.due_at, n.body FROM held h \
     JOIN notifications n ON n.id = h.notification_id \
     WHERE h.channel = ?1 AND h.digest = 0 AND EXISTS (SELECT 1 FROM held \
     WHERE channel = ?1 AND digest = 0 AND due_at <= ?2) ORDER BY h.seq LIMIT ?3";

const DIGEST_DUE: &str = "SELECT h.seq, h.due_at, n.body FROM held h \
     JOIN notifications n ON n.id = h.notification_id \
     WHERE h.channel = ?1 AND h.digest = 1 AND h.due_at <= ?2 ORDER BY h.seq LIMIT ?3";

const TOLD: &str = "INSERT INTO told (channel, order_key, at) VALUES (?1, ?2, ?3) \
     ON CONFLICT (channel, order_key) DO UPDATE SET at = max(told.at, excluded.at)";

/// Saves what of a new notification waits.
pub(super) fn save(
    transaction: &Transaction<'_>,
    notification: &NewNotification,
) -> Result<(), Problem> {
    for held in &notification.held {
        let (channel, key) = (&held.channel, &notification.order_key);
        let id = notification.id.as_bytes();
        match held.hold {
            Hold::Group { wait, interval } => {
                let now = notification.created_at.as_microsecond();
                transaction.prepare_cached(GROUP)?.execute(params![
                    channel,
                    key,
                    id,
                    now,
                    micros(wait),
                    micros(interval)
                ])?;
            }
            Hold::Digest(at) => {
                transaction.prepare_cached(DIGEST)?.execute(params![
                    channel,
                    key,
                    id,
                    at.as_microsecond()
                ])?;
            }
        }
    }
    Ok(())
}

#[async_trait]
impl HeldNotifications for Sqlite {
    async fn held(
        &self,
        channel: &str,
        waiting: Waiting,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<HeldNotification>, StoreError> {
        let channel = channel.to_owned();
        self.transaction("reading what waits to be told", move |transaction| {
            let mut select = transaction.prepare_cached(match waiting {
                Waiting::Groups => GROUPS_DUE,
                Waiting::Digest => DIGEST_DUE,
            })?;
            let held = select.query_map(params![channel, now.as_microsecond(), limit], |row| {
                Ok(HeldNotification {
                    seq: row.get("seq")?,
                    due_at: rows::time(row, "due_at")?,
                    body: row.get("body")?,
                })
            })?;
            Ok(held.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn release(&self, release: Release) -> Result<bool, StoreError> {
        self.transaction("telling what waited", move |transaction| {
            let mut find = transaction.prepare_cached("SELECT 1 FROM held WHERE seq = ?1")?;
            for seq in &release.seqs {
                if !find.exists([seq])? {
                    return Ok(false);
                }
            }
            let mut delete = transaction.prepare_cached("DELETE FROM held WHERE seq = ?1")?;
            for seq in &release.seqs {
                delete.execute([seq])?;
            }
            for notification in &release.notifications {
                notifications::save(transaction, notification)?;
            }
            let mut told = transaction.prepare_cached(TOLD)?;
            for key in &release.told {
                told.execute(params![release.channel, key, release.now.as_microsecond()])?;
            }
            Ok(true)
        })
        .await
    }

    async fn next_held(&self, channels: &[String]) -> Result<Option<Timestamp>, StoreError> {
        let channels = channels.to_vec();
        self.transaction("reading when what waits is due", move |transaction| {
            let mut earliest = None;
            for channel in &channels {
                for digest in [false, true] {
                    let micros: Option<i64> = rows::optional(
                        transaction,
                        "SELECT due_at FROM held WHERE channel = ?1 AND digest = ?2 \
                         ORDER BY due_at LIMIT 1",
                        params![channel, digest],
                    )?;
                    earliest = earliest.into_iter().chain(micros).min();
                }
            }
            Ok(rows::timestamp("due_at", earliest)?)
        })
        .await
    }
}
