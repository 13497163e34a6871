//! Targets in PostgreSQL.

use std::collections::BTreeSet;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use portwatch_domain::target::{Switches, Switching, Target, TargetId};
use uuid::Uuid;

use super::{Postgres, Problem, access, rows};
use crate::StoreError;
use crate::columns::{Unreadable, cut};
use crate::targets::sync::{self, Plan, Set, Stored, Wanted, by_name, plan};
use crate::targets::{SetSwitches, Synced, Targets};

/// The key of the advisory lock under which one process syncs or sets switches at a time.
const LOCK: i64 = 0x706f_7274_7379_6e63;

/// How much longer than other calls a sync may take: it writes all targets of a source, or none.
const PATIENCE: u32 = 30;

/// How many targets are written in one statement.
const CHUNK: usize = 1_000;

/// Rows come as a JSON array, because arrays of arrays cannot be unnested. A row that is there
/// keeps its slot unless `$4` says that it is due now.
const UPSERT: &str = "INSERT INTO targets AS t (id, source, listed, name, group_name, tags, zone, \
     addresses, exclude, ports, expected, allowed, interval_us, cron, time_zone, closed, confirm_open, \
     confirm_close, confirm_down, discovery, follow_names, rate, enabled, notify, history, own_enabled, own_notify, \
     own_history, next_due_at, due_set_at, overdue_at) \
     SELECT id, $2, true, name, group_name, tags, zone, addresses, exclude, ports, expected, allowed, \
     interval_us, cron, time_zone, closed, confirm_open, confirm_close, confirm_down, discovery, follow_names, \
     rate, enabled, notify, history, own_enabled, own_notify, own_history, coalesce(due, $3), $3, overdue \
     FROM jsonb_to_recordset($1::text::jsonb) AS r (id uuid, name text, group_name text, tags text[], \
     zone text, addresses text[], exclude text[], ports text, expected text, allowed text, \
     interval_us bigint, cron text, time_zone text, closed text[], confirm_open smallint, \
     confirm_close smallint, confirm_down smallint, discovery boolean, follow_names boolean, rate bigint, \
     enabled boolean, notify boolean, history boolean, own_enabled boolean, own_notify boolean, \
     own_history boolean, due timestamptz, overdue timestamptz) \
     ON CONFLICT (id) DO UPDATE SET source = excluded.source, listed = true, name = excluded.name, \
     group_name = excluded.group_name, tags = excluded.tags, zone = excluded.zone, \
     addresses = excluded.addresses, exclude = excluded.exclude, ports = excluded.ports, \
     expected = excluded.expected, allowed = excluded.allowed, interval_us = excluded.interval_us, \
     cron = excluded.cron, time_zone = excluded.time_zone, closed = excluded.closed, \
     confirm_open = excluded.confirm_open, confirm_close = excluded.confirm_close, \
     confirm_down = excluded.confirm_down, discovery = excluded.discovery, \
     follow_names = excluded.follow_names, rate = excluded.rate, enabled = excluded.enabled, \
     notify = excluded.notify, history = excluded.history, own_enabled = excluded.own_enabled, \
     own_notify = excluded.own_notify, own_history = excluded.own_history, \
     next_due_at = CASE WHEN $4 THEN excluded.next_due_at ELSE t.next_due_at END, \
     due_set_at = CASE WHEN $4 THEN excluded.due_set_at ELSE t.due_set_at END, \
     overdue_at = CASE WHEN $4 THEN excluded.overdue_at ELSE t.overdue_at END, \
     full_at = CASE WHEN $4 THEN NULL ELSE t.full_at END";

/// As in [`UPSERT`], a new slot begins with all ports.
const SET: &str = "UPDATE targets SET enabled = $2, notify = $3, history = $4, set_enabled = $5, \
     set_notify = $6, set_history = $7, set_by = $8, next_due_at = coalesce($9, next_due_at), \
     due_set_at = CASE WHEN $9 IS NULL THEN due_set_at ELSE $11 END, \
     overdue_at = coalesce($10, overdue_at), \
     full_at = CASE WHEN $9 IS NULL THEN full_at ELSE NULL END WHERE id = $1";

#[async_trait]
impl Targets for Postgres {
    async fn sync_targets(
        &self,
        source: &str,
        targets: &[Target],
        now: Timestamp,
    ) -> Result<Synced, StoreError> {
        let (source, targets) = (source.to_owned(), targets.to_vec());
        let ids: Vec<Uuid> = targets.iter().map(|target| target.id.0).collect();
        let patient = Self {
            limit: self.limit * PATIENCE,
            ..self.clone()
        };
        transaction!(patient, "saving targets", |transaction| {
            transaction
                .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
                .await?;
            let stored = read(
                transaction,
                "SELECT {} FROM targets t WHERE (source = $1 AND listed) OR id = ANY($2)",
                &[&source, &ids],
            )
            .await?;
            let plan = plan(stored, &source, &targets, now).map_err(Problem::Refused)?;
            save(transaction, &source, &plan, cut(now)).await?;
            Ok(plan.synced())
        })
    }

    async fn set_switches(
        &self,
        target: TargetId,
        set: SetSwitches,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Switches>, StoreError> {
        let by = by.to_owned();
        transaction!(self, "setting switches", |transaction| {
            // A sync reads what is set, and writes later what counts by it.
            transaction
                .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
                .await?;
            let sql = "SELECT {} FROM targets t WHERE id = $1 AND listed FOR UPDATE";
            let Some(row) = read(transaction, sql, &[&target.0]).await?.pop() else {
                return Ok(None);
            };
            let about = format!("{}/{}", row.columns.group_name, row.columns.name);
            let set = sync::set(row, set, now)?;
            save_set(transaction, target, &set, &by, cut(now)).await?;
            let (action, detail) = ("switches.set", set.detail());
            access::audit(transaction, now, &by, action, &about, &detail).await?;
            Ok(Some(set.switches))
        })
    }

    async fn targets_with(&self, address: &str) -> Result<Vec<TargetId>, StoreError> {
        let address = address.to_owned();
        transaction!(self, "reading the targets with an address", |transaction| {
            let sql = "SELECT id FROM targets WHERE listed AND $1 = ANY(addresses) ORDER BY id";
            let select = transaction.prepare_cached(sql).await?;
            let rows = transaction.query(&select, &[&address]).await?;
            rows.iter()
                .map(|row| Ok(TargetId(row.try_get(0)?)))
                .collect()
        })
    }

    async fn targets(&self) -> Result<Vec<Target>, StoreError> {
        transaction!(self, "reading targets", |transaction| {
            let stored = read(transaction, "SELECT {} FROM targets t WHERE listed", &[]).await?;
            Ok(by_name(stored)?)
        })
    }

    async fn targets_of(&self, source: &str) -> Result<Vec<Target>, StoreError> {
        let source = source.to_owned();
        transaction!(self, "reading the targets of a source", |transaction| {
            let sql = "SELECT {} FROM targets t WHERE listed AND source = $1";
            let stored = read(transaction, sql, &[&source]).await?;
            Ok(by_name(stored)?)
        })
    }
}

async fn read(
    transaction: &Transaction<'_>,
    sql: &str,
    params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Vec<Stored>, Problem> {
    let sql = sql.replace("{}", &format!("{}, {}", rows::TARGET, rows::STANDING));
    let statement = transaction.prepare_cached(&sql).await?;
    let found = transaction.query(&statement, params).await?;
    found
        .iter()
        .map(|row| {
            Ok(Stored {
                columns: rows::target(row)?,
                source: row.try_get("source")?,
                listed: row.try_get("listed")?,
                own: Switches {
                    enabled: row.try_get("own_enabled")?,
                    notify: row.try_get("own_notify")?,
                    history: row.try_get("own_history")?,
                },
                set: rows::set(row)?,
            })
        })
        .collect()
}

async fn save(
    transaction: &Transaction<'_>,
    source: &str,
    plan: &Plan,
    now: Timestamp,
) -> Result<(), Problem> {
    let upsert = transaction.prepare_cached(UPSERT).await?;
    for (targets, due) in [
        (&plan.create, true),
        (&plan.reschedule, true),
        (&plan.update, false),
    ] {
        for chunk in targets.chunks(CHUNK) {
            transaction
                .execute(&upsert, &[&json(chunk)?, &source, &now, &due])
                .await?;
        }
    }
    let zones: BTreeSet<&str> = [&plan.create, &plan.reschedule, &plan.update]
        .into_iter()
        .flatten()
        .map(|target| target.columns.zone.as_str())
        .collect();
    let zones: Vec<&str> = zones.into_iter().collect();
    transaction
        .execute(
            "INSERT INTO zones (zone) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
            &[&zones],
        )
        .await?;
    if !plan.retire.is_empty() {
        transaction
            .execute(
                "UPDATE targets SET listed = false WHERE id = ANY($1)",
                &[&plan.retire],
            )
            .await?;
    }
    Ok(())
}

async fn save_set(
    transaction: &Transaction<'_>,
    target: TargetId,
    set: &Set,
    by: &str,
    now: Timestamp,
) -> Result<(), Problem> {
    let update = transaction.prepare_cached(SET).await?;
    let by = (set.by_hand != Switching::default()).then_some(by);
    let (due, overdue) = (
        set.soon.map(|soon| soon.due),
        set.soon.map(|soon| soon.overdue),
    );
    let (counts, set) = (set.switches, set.by_hand);
    transaction
        .execute(
            &update,
            &[
                &target.0,
                &counts.enabled,
                &counts.notify,
                &counts.history,
                &set.enabled,
                &set.notify,
                &set.history,
                &by,
                &due,
                &overdue,
                &now,
            ],
        )
        .await?;
    Ok(())
}

fn json(targets: &[Wanted]) -> Result<String, Unreadable> {
    serde_json::to_string(targets).map_err(|error| Unreadable::new("targets", error))
}
