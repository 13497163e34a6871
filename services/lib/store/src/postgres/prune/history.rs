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

/// The key of the advisory lock under which one process drops days at a time: PostgreSQL refuses to drop a day that
/// another drops at the same moment, even *if exists*.
const LOCK: i64 = 0x706f_7274_6461_7973;

/// The days that began before a time, or so many days before that.
const DAYS: &str = "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
     WHERE inhparent = 'history'::regclass AND relname ~ '^history_[0-9]{8}$' \
     AND (to_date(right(relname, 8), 'YYYYMMDD') + $2::integer)::timestamp AT TIME ZONE 'UTC' <= $1 \
     ORDER BY relname";

/// Where goes what no day was made for.
const STRAY: &str = "history_default";

const OF_TARGETS: &str = "AND target_id = ANY($3)";
const OF_ZONES: &str = "AND target_id IS NULL";

/// Deletes a part of one day. It goes by place, because for a join with all days the planner would read them all.
fn in_day(day: &str, what: &str) -> String {
    format!(
        "DELETE FROM {day} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {day} WHERE at < $1 {what} \
         LIMIT $2 FOR UPDATE SKIP LOCKED))"
    )
}

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
        deleted.rows = self.delete_in(STRAY, "", deleted.before, None).await?;
        if shortest < longest {
            for (keep, targets) in self.kept_shorter(longest, default).await? {
                for targets in targets.chunks(TARGETS) {
                    let targets = Some(targets.to_vec());
                    deleted.rows += self.delete_of(OF_TARGETS, before(keep), targets).await?;
                }
            }
            if default < longest {
                deleted.rows += self.delete_of(OF_ZONES, before(default), None).await?;
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

    /// The days that began before `before`, or so many days before that.
    async fn days(&self, before: Timestamp, ago: i32) -> Result<Vec<String>, StoreError> {
        transaction!(self, "reading the days of the history", |transaction| {
            let days = transaction.prepare_cached(DAYS).await?;
            let days = transaction.query(&days, &[&before, &ago]).await?;
            let names = days.iter().map(|row| row.try_get(0));
            Ok(names.collect::<Result<_, _>>()?)
        })
    }

    /// Drops the days that ended before `before`; one that is in use for long is left for the next time.
    async fn drop_days(&self, before: Timestamp) -> Result<u64, StoreError> {
        let days = self.days(before, 1).await?;
        let mut dropped = 0;
        for day in days {
            let done = transaction!(self, "dropping a day of the history", |transaction| {
                transaction.batch_execute(PATIENCE).await?;
                transaction
                    .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
                    .await?;
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

    /// Deletes a part of the history from before `before`, in each day that there is.
    async fn delete_of(
        &self,
        what: &'static str,
        before: Timestamp,
        targets: Option<Vec<Uuid>>,
    ) -> Result<u64, StoreError> {
        let mut sum = self.delete_in(STRAY, what, before, targets.clone()).await?;
        for day in self.days(before, 0).await? {
            sum += self.delete_in(&day, what, before, targets.clone()).await?;
        }
        Ok(sum)
    }

    /// Deletes a part of a day from before `before`.
    async fn delete_in(
        &self,
        day: &str,
        what: &'static str,
        before: Timestamp,
        targets: Option<Vec<Uuid>>,
    ) -> Result<u64, StoreError> {
        let mut sum = 0;
        loop {
            let (sql, targets) = (in_day(day, what), targets.clone());
            let deleted = transaction!(self, "deleting old history", |transaction| {
                let delete = transaction.prepare(&sql).await?;
                Ok(match &targets {
                    Some(of) => transaction.execute(&delete, &[&before, &BATCH, of]).await?,
                    None => transaction.execute(&delete, &[&before, &BATCH]).await?,
                })
            })?;
            sum += deleted;
            if deleted == 0 {
                return Ok(sum);
            }
        }
    }
}
