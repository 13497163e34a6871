//! Deletes old rows from PostgreSQL, a batch a transaction, so that no lock is held for long. What
//! somebody else has locked is left for the next time.
//!
//! `OFFSET 0` keeps the planner from turning an `EXISTS` into a join, for which it would read the
//! whole other table; so it looks up row by row in an index.

mod history;

use jiff::Timestamp;

use super::Postgres;
use crate::columns::cut;
use crate::{PruneBefore, Pruned, StoreError};

/// The most rows that one transaction deletes.
const BATCH: i64 = 5_000;

const JOBS: &str = "DELETE FROM jobs WHERE id = ANY (ARRAY(SELECT id FROM jobs \
     WHERE coalesce(finished_at, deadline) < $1 \
     ORDER BY coalesce(finished_at, deadline) LIMIT $2 FOR UPDATE SKIP LOCKED))";

const RUNS: &str = "DELETE FROM runs USING (SELECT target_id, run FROM runs AS old \
     WHERE created_at < $1 AND NOT EXISTS (SELECT FROM jobs \
     WHERE jobs.target_id = old.target_id AND jobs.run = old.run OFFSET 0) \
     ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old \
     WHERE runs.target_id = old.target_id AND runs.run = old.run";

const INBOX: &str = "DELETE FROM inbox USING (SELECT job_id, part FROM inbox AS old \
     WHERE received_at < $1 AND NOT EXISTS (SELECT FROM jobs WHERE jobs.id = old.job_id OFFSET 0) \
     ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old \
     WHERE inbox.job_id = old.job_id AND inbox.part = old.part";

/// Requests whose jobs are gone, and those that wait for a target which nobody watches.
const REQUESTS: &str = "DELETE FROM requests USING (SELECT id FROM requests AS old \
     WHERE asked_at < $1 AND NOT EXISTS (SELECT FROM jobs \
     WHERE jobs.target_id = old.target_id AND jobs.run = old.run OFFSET 0) \
     AND (run IS NOT NULL OR NOT EXISTS (SELECT FROM targets \
     WHERE targets.id = old.target_id AND listed AND enabled OFFSET 0)) \
     ORDER BY asked_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old WHERE requests.id = old.id";

/// Deliveries of notifications all of whose deliveries have ended.
const DELIVERIES: &str = "DELETE FROM deliveries WHERE notification_id = ANY (ARRAY(SELECT id \
     FROM notifications AS old WHERE created_at < $1 \
     AND EXISTS (SELECT FROM deliveries WHERE notification_id = old.id OFFSET 0) \
     AND NOT EXISTS (SELECT FROM deliveries \
     WHERE notification_id = old.id AND (ended_at IS NULL OR ended_at >= $1) OFFSET 0) \
     ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Notifications that have no delivery left, or never had one.
const NOTIFICATIONS: &str = "DELETE FROM notifications WHERE id = ANY (ARRAY(SELECT id \
     FROM notifications AS old WHERE created_at < $1 \
     AND NOT EXISTS (SELECT FROM deliveries WHERE notification_id = old.id OFFSET 0) \
     AND NOT EXISTS (SELECT FROM held WHERE notification_id = old.id OFFSET 0) \
     ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// When channels were told longer ago than any interval.
const TOLD: &str = "DELETE FROM told USING (SELECT channel, order_key FROM told AS old \
     WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old \
     WHERE told.channel = old.channel AND told.order_key = old.order_key";

/// What is no longer wrong; until then an old change that comes late is known to be old.
const PROBLEMS: &str = "DELETE FROM problems USING (SELECT id FROM problems AS old \
     WHERE ended AND at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old \
     WHERE problems.id = old.id";

const SILENCES: &str = "DELETE FROM silences USING (SELECT id FROM silences AS old \
     WHERE until_at < $1 ORDER BY until_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old \
     WHERE silences.id = old.id";

impl Postgres {
    pub(super) async fn prune_in_batches(
        &self,
        older_than: PruneBefore,
    ) -> Result<Pruned, StoreError> {
        let (working, history) = (cut(older_than.working), cut(older_than.history));
        let jobs = self.delete(JOBS, working).await?;
        self.delete(INBOX, working).await?;
        self.delete(REQUESTS, working).await?;
        let deleted = self.prune_history(older_than).await?;
        let runs = self.delete(RUNS, deleted.before).await?;
        let deliveries = self.delete(DELIVERIES, history).await?;
        self.delete(NOTIFICATIONS, history).await?;
        self.delete(TOLD, working).await?;
        self.delete(SILENCES, history).await?;
        self.delete(PROBLEMS, history).await?;
        Ok(Pruned {
            jobs,
            history: deleted.rows,
            history_days: deleted.days,
            runs,
            deliveries,
        })
    }

    /// Repeats a deletion until it finds nothing more, and counts the rows.
    async fn delete(&self, sql: &'static str, before: Timestamp) -> Result<u64, StoreError> {
        let mut sum = 0;
        loop {
            let deleted = transaction!(self, "deleting old rows", |transaction| {
                let delete = transaction.prepare_cached(sql).await?;
                Ok(transaction.execute(&delete, &[&before, &BATCH]).await?)
            })?;
            sum += deleted;
            if deleted == 0 {
                return Ok(sum);
            }
        }
    }
}
