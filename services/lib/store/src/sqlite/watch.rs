//! What the watcher says of itself, in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::job::attended::ZoneWork;
use portwatch_domain::target::{TargetId, Zone};
use rusqlite::{Row, Transaction, params};

use super::{Problem, Sqlite, history, outbox, rows};
use crate::StoreError;
use crate::columns::{number, parse, signed};
use crate::history::{HistoryRow, Subject};
use crate::watch::{Lateness, Notice, TargetState, Watch, ZoneState};

/// The oldest lost job of a zone is one that was made after the last one that was finished.
const ZONES: &str = "SELECT z.*, (SELECT min(j.created_at) FROM jobs j WHERE j.zone = z.zone \
     AND j.finished_at IS NULL AND j.lost_at IS NOT NULL \
     AND j.created_at > coalesce(z.last_finished_at, 0)) AS oldest_lost FROM zones z ORDER BY z.zone";

const LATE: &str = "SELECT * FROM (SELECT * FROM targets WHERE listed AND enabled AND overdue_since IS NULL \
     AND overdue_at <= ?1 ORDER BY overdue_at LIMIT ?2) UNION ALL \
     SELECT * FROM (SELECT * FROM targets WHERE overdue_since IS NOT NULL \
     AND (scanned_at > overdue_since OR NOT listed OR NOT enabled) LIMIT ?2)";

const ANEW: &str = "UPDATE targets SET overdue_since = NULL, \
     overdue_at = ?2 + max(overdue_at - coalesce(scanned_at, due_set_at), 0) \
     WHERE zone = ?1 AND overdue_since IS NOT NULL AND NOT overdue_told";

const STATES: &str = "SELECT t.*, coalesce(h.hosts, 0) AS hosts, coalesce(h.up, 0) AS hosts_up, \
     coalesce(h.open, 0) AS open_ports, coalesce(h.unexpected, 0) AS unexpected_open, \
     coalesce(h.missing, 0) AS expected_closed FROM targets t \
     LEFT JOIN (SELECT target_id, count(*) AS hosts, count(*) FILTER (WHERE state = 'up') AS up, \
     sum(open_ports) FILTER (WHERE state = 'up') AS open, sum(unexpected_open) AS unexpected, \
     sum(expected_closed) AS missing FROM hosts GROUP BY target_id) h ON h.target_id = t.id \
     WHERE t.listed ORDER BY t.name, t.id";

#[async_trait]
impl Watch for Sqlite {
    async fn zones(&self) -> Result<Vec<ZoneState>, StoreError> {
        self.transaction("reading zones", |transaction| {
            let found = rows::select(transaction, ZONES, [], |row| {
                let zone: String = row.get("zone")?;
                let work = ZoneWork {
                    unattended_since: rows::optional_time(row, "unattended_since")?,
                    oldest_lost: rows::optional_time(row, "oldest_lost")?,
                    last_finished: rows::optional_time(row, "last_finished_at")?,
                };
                Ok((zone, work, row.get::<_, i64>("changes")?))
            })?;
            let states = found.into_iter().map(|(zone, work, changes)| {
                Ok(ZoneState {
                    zone: parse("zone", &zone)?,
                    work,
                    changes: number("changes", changes)?,
                })
            });
            states.collect()
        })
        .await
    }

    async fn mark_zone(
        &self,
        zone: &Zone,
        changes: u64,
        unattended_since: Option<Timestamp>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let zone = zone.clone();
        self.transaction("marking a zone", move |transaction| {
            let since = unattended_since.map(Timestamp::as_microsecond);
            let marked = transaction
                .prepare_cached(
                    "UPDATE zones SET unattended_since = ?3, changes = changes + 1 \
                     WHERE zone = ?1 AND changes = ?2",
                )?
                .execute(params![zone.as_str(), signed(changes), since])?;
            if marked == 1 {
                if since.is_none() {
                    let anew = params![zone.as_str(), now.as_microsecond()];
                    transaction.prepare_cached(ANEW)?.execute(anew)?;
                }
                tell(transaction, Subject::Zone(zone), &notice, now)?;
            }
            Ok(marked == 1)
        })
        .await
    }

    async fn lateness(&self, now: Timestamp, limit: u32) -> Result<Vec<Lateness>, StoreError> {
        self.transaction("reading overdue targets", move |transaction| {
            let params = params![now.as_microsecond(), limit];
            let found = rows::select(transaction, LATE, params, |row| {
                let (scanned_at, overdue_since) = late(row)?;
                let (told, changes) = (row.get("overdue_told")?, row.get::<_, i64>("changes")?);
                Ok((rows::target(row)?, scanned_at, overdue_since, told, changes))
            })?;
            let late =
                found
                    .into_iter()
                    .map(|(columns, scanned_at, overdue_since, told, changes)| {
                        Ok(Lateness {
                            target: columns.target()?,
                            scanned_at,
                            overdue_since,
                            told,
                            changes: number("changes", changes)?,
                        })
                    });
            late.collect()
        })
        .await
    }

    async fn overdue_targets(&self) -> Result<u64, StoreError> {
        self.transaction("counting overdue targets", |transaction| {
            rows::count(
                transaction,
                "SELECT count(*) FROM targets WHERE overdue_since IS NOT NULL",
                [],
            )
        })
        .await
    }

    async fn mark_target(
        &self,
        target: TargetId,
        changes: u64,
        overdue_since: Option<Timestamp>,
        notice: Option<Notice>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.transaction("marking a target", move |transaction| {
            let since = overdue_since.map(Timestamp::as_microsecond);
            let marked = transaction
                .prepare_cached(
                    "UPDATE targets SET overdue_since = ?3, overdue_told = ?4, changes = changes + ?4 \
                     WHERE id = ?1 AND changes = ?2 AND (overdue_since IS NULL) <> (?3 IS NULL)",
                )?
                .execute(params![
                    target.0.as_bytes(),
                    signed(changes),
                    since,
                    notice.is_some()
                ])?;
            if let (1, Some(notice)) = (marked, &notice) {
                tell(transaction, Subject::Target(target), notice, now)?;
            }
            Ok(marked == 1)
        })
        .await
    }

    async fn target_state(&self, target: TargetId) -> Result<Option<TargetState>, StoreError> {
        self.transaction("reading a target", move |transaction| {
            let sql = STATES
                .replace("FROM hosts", "FROM hosts WHERE target_id = ?1")
                .replace("WHERE t.listed", "WHERE t.id = ?1 AND t.listed");
            Ok(states(transaction, &sql, [target.0.as_bytes()])?.pop())
        })
        .await
    }

    async fn target_states(&self) -> Result<Vec<TargetState>, StoreError> {
        self.transaction("reading targets", |transaction| {
            states(transaction, STATES, [])
        })
        .await
    }
}

fn states(
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<TargetState>, Problem> {
    let found = rows::select(transaction, sql, params, |row| {
        let columns = [
            "run",
            "hosts",
            "hosts_up",
            "open_ports",
            "unexpected_open",
            "expected_closed",
        ];
        let mut counts = [0_i64; 6];
        for (count, column) in counts.iter_mut().zip(columns) {
            *count = row.get(column)?;
        }
        let due = rows::time(row, "next_due_at")?;
        let listed = (row.get("source")?, rows::set(row)?, row.get("set_by")?);
        Ok((rows::target(row)?, listed, due, late(row)?, counts))
    })?;
    let states = found.into_iter().map(
        |(columns, (source, set, set_by), next_due_at, late, counts)| {
            let [
                run,
                hosts,
                hosts_up,
                open_ports,
                unexpected_open,
                expected_closed,
            ] = counts.map(|count| u64::try_from(count).unwrap_or_default());
            let (scanned_at, overdue_since) = late;
            Ok(TargetState {
                target: columns.target()?,
                source,
                set,
                set_by,
                next_due_at,
                scanned_at,
                overdue_since,
                run,
                hosts,
                hosts_up,
                open_ports,
                unexpected_open,
                expected_closed,
            })
        },
    );
    states.collect()
}

fn late(row: &Row<'_>) -> rusqlite::Result<(Option<Timestamp>, Option<Timestamp>)> {
    Ok((
        rows::optional_time(row, "scanned_at")?,
        rows::optional_time(row, "overdue_since")?,
    ))
}

fn tell(
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
    history::save(transaction, &[past])?;
    let message = std::slice::from_ref(&notice.message);
    outbox::save(transaction, message, now.as_microsecond())
}
