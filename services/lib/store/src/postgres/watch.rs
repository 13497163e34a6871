//! What the watcher says of itself, in PostgreSQL.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use portwatch_domain::job::attended::ZoneWork;
use portwatch_domain::target::{TargetId, Zone};
use tokio_postgres::Row;

use super::{Postgres, Problem, history, outbox, rows};
use crate::StoreError;
use crate::columns::{cut, number, parse, signed};
use crate::history::{HistoryRow, Subject};
use crate::watch::{Lateness, Notice, TargetState, Watch, ZoneState};

/// The oldest lost job of a zone is one that was made after the last one that was finished.
const ZONES: &str = "SELECT z.*, (SELECT j.created_at FROM jobs j WHERE j.zone = z.zone \
     AND j.finished_at IS NULL AND j.lost_at IS NOT NULL \
     AND j.created_at > coalesce(z.last_finished_at, '-infinity') \
     ORDER BY j.created_at LIMIT 1) AS oldest_lost FROM zones z ORDER BY z.zone";

const LATE: &str = "(SELECT {} FROM targets t WHERE listed AND enabled AND overdue_since IS NULL \
     AND overdue_at <= $1 ORDER BY overdue_at LIMIT $2) UNION ALL \
     (SELECT {} FROM targets t WHERE overdue_since IS NOT NULL \
     AND (scanned_at > overdue_since OR NOT listed OR NOT enabled) LIMIT $2)";

const ANEW: &str = "UPDATE targets SET overdue_since = NULL, \
     overdue_at = $2::timestamptz + greatest(overdue_at - coalesce(scanned_at, due_set_at), interval '0') \
     WHERE zone = $1 AND overdue_since IS NOT NULL AND NOT overdue_told";

const STATES: &str = "SELECT {}, t.source, t.set_enabled, t.set_notify, t.set_history, t.set_by, t.next_due_at, t.scanned_at, t.overdue_since, t.run, h.* FROM targets t \
     LEFT JOIN (SELECT target_id, count(*) AS hosts, count(*) FILTER (WHERE state = 'up') AS hosts_up, \
     sum(open_ports) FILTER (WHERE state = 'up') AS open_ports, sum(unexpected_open) AS unexpected_open, \
     sum(expected_closed) AS expected_closed FROM hosts GROUP BY target_id) h ON h.target_id = t.id \
     WHERE t.listed ORDER BY t.name, t.id";

#[async_trait]
impl Watch for Postgres {
    async fn zones(&self) -> Result<Vec<ZoneState>, StoreError> {
        transaction!(self, "reading zones", |transaction| {
            let select = transaction.prepare_cached(ZONES).await?;
            let found = transaction.query(&select, &[]).await?;
            found.iter().map(zone_state).collect()
        })
    }

    async fn mark_zone(
        &self,
        zone: &Zone,
        changes: u64,
        unattended_since: Option<Timestamp>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (zone, since) = (zone.clone(), unattended_since.map(cut));
        transaction!(self, "marking a zone", |transaction| {
            let mark = transaction
                .prepare_cached(
                    "UPDATE zones SET unattended_since = $3, changes = changes + 1 \
                     WHERE zone = $1 AND changes = $2",
                )
                .await?;
            let marked = transaction
                .execute(&mark, &[&zone.as_str(), &signed(changes), &since])
                .await?;
            if marked == 1 {
                tell(transaction, Subject::Zone(zone.clone()), &notice, now).await?;
                if since.is_none() {
                    let anew = transaction.prepare_cached(ANEW).await?;
                    transaction
                        .execute(&anew, &[&zone.as_str(), &cut(now)])
                        .await?;
                }
            }
            Ok(marked == 1)
        })
    }

    async fn lateness(&self, now: Timestamp, limit: u32) -> Result<Vec<Lateness>, StoreError> {
        transaction!(self, "reading overdue targets", |transaction| {
            let own = "t.scanned_at, t.overdue_since, t.overdue_told, t.changes";
            let columns = format!("{}, {own}", rows::TARGET);
            let select = transaction
                .prepare_cached(&LATE.replace("{}", &columns))
                .await?;
            let found = transaction
                .query(&select, &[&cut(now), &i64::from(limit)])
                .await?;
            let late = |row: &Row| -> Result<Lateness, Problem> {
                Ok(Lateness {
                    target: rows::target(row)?.target()?,
                    scanned_at: row.try_get("scanned_at")?,
                    overdue_since: row.try_get("overdue_since")?,
                    told: row.try_get("overdue_told")?,
                    changes: number("changes", row.try_get("changes")?)?,
                })
            };
            found.iter().map(late).collect()
        })
    }

    async fn overdue_targets(&self) -> Result<u64, StoreError> {
        transaction!(self, "counting overdue targets", |transaction| {
            let count = transaction
                .prepare_cached("SELECT count(*) FROM targets WHERE overdue_since IS NOT NULL")
                .await?;
            let found = transaction.query_one(&count, &[]).await?;
            Ok(number("count", found.try_get(0)?)?)
        })
    }

    async fn mark_target(
        &self,
        target: TargetId,
        changes: u64,
        overdue_since: Option<Timestamp>,
        notice: Option<Notice>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let since = overdue_since.map(cut);
        let more = i64::from(notice.is_some());
        transaction!(self, "marking a target", |transaction| {
            let mark = transaction
                .prepare_cached(
                    "UPDATE targets SET overdue_since = $3, overdue_told = $4::bigint > 0, changes = changes + $4 \
                     WHERE id = $1 AND changes = $2 AND (overdue_since IS NULL) <> ($3::timestamptz IS NULL)",
                )
                .await?;
            let marked = transaction
                .execute(&mark, &[&target.0, &signed(changes), &since, &more])
                .await?;
            if let (1, Some(notice)) = (marked, &notice) {
                tell(transaction, Subject::Target(target), notice, now).await?;
            }
            Ok(marked == 1)
        })
    }

    async fn target_state(&self, target: TargetId) -> Result<Option<TargetState>, StoreError> {
        transaction!(self, "reading a target", |transaction| {
            let sql = STATES
                .replace("{}", rows::TARGET)
                .replace("FROM hosts", "FROM hosts WHERE target_id = $1")
                .replace("WHERE t.listed", "WHERE t.id = $1 AND t.listed");
            let select = transaction.prepare_cached(&sql).await?;
            let found = transaction.query_opt(&select, &[&target.0]).await?;
            found.as_ref().map(target_state).transpose()
        })
    }

    async fn target_states(&self) -> Result<Vec<TargetState>, StoreError> {
        transaction!(self, "reading targets", |transaction| {
            let select = transaction
                .prepare_cached(&STATES.replace("{}", rows::TARGET))
                .await?;
            let found = transaction.query(&select, &[]).await?;
            found.iter().map(target_state).collect()
        })
    }
}

async fn tell(
    transaction: &Transaction<'_>,
    about: Subject,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), Problem> {
    let past = HistoryRow {
        about,
        run: None,
        job: None,
        change: notice.change.clone(),
    };
    history::save(transaction, &[past]).await?;
    outbox::save(transaction, std::slice::from_ref(&notice.message), now).await
}

fn zone_state(row: &Row) -> Result<ZoneState, Problem> {
    Ok(ZoneState {
        zone: parse("zone", row.try_get("zone")?)?,
        work: ZoneWork {
            unattended_since: row.try_get("unattended_since")?,
            oldest_lost: row.try_get("oldest_lost")?,
            last_finished: row.try_get("last_finished_at")?,
        },
        changes: number("changes", row.try_get("changes")?)?,
    })
}

fn target_state(row: &Row) -> Result<TargetState, Problem> {
    let count = |column: &'static str| -> Result<u64, Problem> {
        let value: Option<i64> = row.try_get(column)?;
        Ok(number(column, value.unwrap_or(0))?)
    };
    Ok(TargetState {
        target: rows::target(row)?.target()?,
        source: row.try_get("source")?,
        set: rows::set(row)?,
        set_by: row.try_get("set_by")?,
        next_due_at: row.try_get("next_due_at")?,
        scanned_at: row.try_get("scanned_at")?,
        overdue_since: row.try_get("overdue_since")?,
        run: count("run")?,
        hosts: count("hosts")?,
        hosts_up: count("hosts_up")?,
        open_ports: count("open_ports")?,
        unexpected_open: count("unexpected_open")?,
        expected_closed: count("expected_closed")?,
    })
}
