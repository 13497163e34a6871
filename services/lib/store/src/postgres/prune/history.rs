//! Deletes old history: days as a whole, and within the days that stay what some groups keep less long.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::Postgres;
use super::BATCH;
use crate::columns::{cut, micros};
use crate::{PruneBefore, StoreError};

/// How many days are made ahead, so that a program that stands still for some time finds them.
const DAYS_AHEAD: i32 = 7;

/// How many targets one statement looks at.
const TARGETS: usize = 1_000;

/// To make or drop a day, whoever reads the history has to be waited for, and who wants to has to wait for that.
/// Past this, it is tried again next time.
const PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

const OLD_DAYS: &str = "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
     WHERE inhparent = 'history'::regclass AND relname ~ '^history_[0-9]{8}$' \
     AND (to_date(right(relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' <= $1 ORDER BY relname";

/// What no day was made for.
const STRAY: &str = "DELETE FROM history_default WHERE ctid = ANY (ARRAY(SELECT ctid FROM history_default \
     WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))";

const OF_TARGETS: &str = "DELETE FROM history USING (SELECT at, change_id FROM history \
     WHERE target_id = ANY($3) AND at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS old \
     WHERE history.at = old.at AND history.change_id = old.change_id AND history.at < $1";

const OF_ZONES: &str = "DELETE FROM history USING (SELECT at, change_id FROM history \
     WHERE target_id IS NULL AND at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS old \
     WHERE history.at = old.at AND history.change_id = old.change_id AND history.at < $1";

/// Targets whose history is kept less long than the longest, by how long. The second value is how long that of
/// groups is kept that say nothing.
const SHORTER: &str = "SELECT coalesce(keep_history_us, $2::bigint), array_agg(targets.id) \
     FROM targets LEFT JOIN groups ON groups.name = group_name \
     WHERE coalesce(keep_history_us, $2::bigint) < $1 GROUP BY 1";

/// What was deleted.
#[derive(Default)]
pub(super) struct Deleted {
    pub(super) rows: u64,
    pub(super) days: u64,
    /// Nothing that is older is left.
    pub(super) before: Timestamp,
}

/// False if it was not done because the history is in use.
fn is_done(done: Result<(), StoreError>) -> Result<bool, StoreError> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.is_temporary() => {
            tracing::info!(%error, "days of the history are left for the next time");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

impl Postgres {
    pub(super) async fn prune_history(&self, older: PruneBefore) -> Result<Deleted, StoreError> {
        let now = cut(older.now);
        let default = micros(now.duration_since(cut(older.history)));
        self.make_days(now).await?;
        let (longest, shortest) = self.limits(default).await?;
        let before = |keep| {
            let since = now.checked_sub(SignedDuration::from_micros(keep));
            since.unwrap_or(Timestamp::MIN)
        };
        let mut deleted = Deleted {
            before: before(longest),
            ..Deleted::default()
        };
        deleted.days = self.drop_days(deleted.before).await?;
        deleted.rows = self.delete(STRAY, deleted.before).await?;
        if shortest < longest {
            for (keep, targets) in self.kept_shorter(longest, default).await? {
                for targets in targets.chunks(TARGETS) {
                    deleted.rows += self.delete_of(targets.to_vec(), before(keep)).await?;
                }
            }
            if default < longest {
                deleted.rows += self.delete(OF_ZONES, before(default)).await?;
            }
        }
        Ok(deleted)
    }

    /// Makes the days ahead that are missing.
    async fn make_days(&self, now: Timestamp) -> Result<(), StoreError> {
        let done = transaction!(self, "making the days of the history", |transaction| {
            transaction.batch_execute(PATIENCE).await?;
            let make = transaction
                .prepare_cached(
                    "SELECT make_history_day(($1::timestamptz AT TIME ZONE 'UTC')::date + ahead) \
                     FROM generate_series(0, $2::integer) AS ahead",
                )
                .await?;
            transaction.execute(&make, &[&now, &DAYS_AHEAD]).await?;
            Ok(())
        });
        is_done(done).map(|_| ())
    }

    /// The longest and the shortest time that any history is kept, in microseconds.
    async fn limits(&self, default: i64) -> Result<(i64, i64), StoreError> {
        transaction!(self, "reading how long history is kept", |transaction| {
            let limits = transaction
                .prepare_cached(
                    "SELECT GREATEST(max(keep_history_us), $1::bigint), \
                     LEAST(min(keep_history_us), $1::bigint) FROM groups",
                )
                .await?;
            let limits = transaction.query_one(&limits, &[&default]).await?;
            Ok((limits.try_get(0)?, limits.try_get(1)?))
        })
    }

    /// Drops the days that ended before `before`; one that is in use for long is left for the next time.
    async fn drop_days(&self, before: Timestamp) -> Result<u64, StoreError> {
        let days: Vec<String> =
            transaction!(self, "reading the days of the history", |transaction| {
                let days = transaction.prepare_cached(OLD_DAYS).await?;
                let days = transaction.query(&days, &[&before]).await?;
                Ok(days
                    .iter()
                    .map(|row| row.try_get(0))
                    .collect::<Result<_, _>>()?)
            })?;
        let mut dropped = 0;
        for day in days {
            let done = transaction!(self, "dropping a day of the history", |transaction| {
                transaction.batch_execute(PATIENCE).await?;
                let drop = format!("DROP TABLE IF EXISTS {day}");
                transaction.batch_execute(&drop).await?;
                Ok(())
            });
            if !is_done(done)? {
                break;
            }
            dropped += 1;
        }
        Ok(dropped)
    }

    async fn kept_shorter(
        &self,
        longest: i64,
        default: i64,
    ) -> Result<Vec<(i64, Vec<Uuid>)>, StoreError> {
        transaction!(self, "reading how long history is kept", |transaction| {
            let shorter = transaction.prepare_cached(SHORTER).await?;
            let found = transaction.query(&shorter, &[&longest, &default]).await?;
            let of_row = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
            found.iter().map(of_row).collect()
        })
    }

    /// Deletes the history of these targets from before `before`.
    async fn delete_of(&self, targets: Vec<Uuid>, before: Timestamp) -> Result<u64, StoreError> {
        let mut sum = 0;
        loop {
            let of_batch = targets.clone();
            let deleted = transaction!(self, "deleting old history", |transaction| {
                let delete = transaction.prepare_cached(OF_TARGETS).await?;
                Ok(transaction
                    .execute(&delete, &[&before, &BATCH, &of_batch])
                    .await?)
            })?;
            sum += deleted;
            if deleted == 0 {
                return Ok(sum);
            }
        }
    }
}
