//! Targets in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::target::{Switches, Switching, Target, TargetId};
use rusqlite::{Transaction, named_params};

use super::rows::{self, json};
use super::{Problem, Sqlite, access};
use crate::StoreError;
use crate::targets::sync::{self, Plan, Set, Stored, Wanted, by_name, plan};
use crate::targets::{SetSwitches, Synced, Targets};

const INSERT: &str = "INSERT INTO targets (id, source, listed, \
     name, group_name, tags, zone, addresses, exclude, ports, expected, allowed, \
     interval_us, cron, time_zone, closed, confirm_open, confirm_close, confirm_down, \
     discovery, follow_names, rate, enabled, notify, history, own_enabled, own_notify, own_history, \
     next_due_at, due_set_at, overdue_at) \
     VALUES (:id, :source, 1, \
     :name, :group_name, :tags, :zone, :addresses, :exclude, :ports, :expected, :allowed, \
     :interval_us, :cron, :time_zone, :closed, :confirm_open, :confirm_close, \
     :confirm_down, :discovery, :follow_names, :rate, :enabled, :notify, :history, \
     :own_enabled, :own_notify, :own_history, :due, :now, :overdue)";

/// A row keeps its slot unless there is a new one.
const UPDATE: &str = "UPDATE targets SET source = :source, listed = 1, \
     name = :name, group_name = :group_name, tags = :tags, zone = :zone, \
     addresses = :addresses, exclude = :exclude, ports = :ports, expected = :expected, \
     allowed = :allowed, interval_us = :interval_us, cron = :cron, \
     time_zone = :time_zone, closed = :closed, confirm_open = :confirm_open, \
     confirm_close = :confirm_close, confirm_down = :confirm_down, \
     discovery = :discovery, follow_names = :follow_names, rate = :rate, \
     enabled = :enabled, notify = :notify, history = :history, own_enabled = :own_enabled, \
     own_notify = :own_notify, own_history = :own_history, \
     next_due_at = coalesce(:due, next_due_at), due_set_at = iif(:due IS NULL, due_set_at, :now), \
     overdue_at = coalesce(:overdue, overdue_at), full_at = iif(:due IS NULL, full_at, NULL) WHERE id = :id";

/// As in [`UPDATE`], a new slot begins with all ports.
const SET: &str = "UPDATE targets SET enabled = :enabled, notify = :notify, history = :history, \
     set_enabled = :set_enabled, set_notify = :set_notify, set_history = :set_history, set_by = :set_by, \
     next_due_at = coalesce(:due, next_due_at), due_set_at = iif(:due IS NULL, due_set_at, :now), \
     overdue_at = coalesce(:overdue, overdue_at), full_at = iif(:due IS NULL, full_at, NULL) WHERE id = :id";

#[async_trait]
impl Targets for Sqlite {
    async fn sync_targets(
        &self,
        source: &str,
        targets: &[Target],
        now: Timestamp,
    ) -> Result<Synced, StoreError> {
        let (source, targets) = (source.to_owned(), targets.to_vec());
        self.transaction("saving targets", move |transaction| {
            let plan =
                plan(stored(transaction)?, &source, &targets, now).map_err(Problem::Refused)?;
            save(transaction, &source, &plan, now.as_microsecond())?;
            Ok(plan.synced())
        })
        .await
    }

    async fn set_switches(
        &self,
        target: TargetId,
        set: SetSwitches,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Switches>, StoreError> {
        let by = by.to_owned();
        self.transaction("setting switches", move |transaction| {
            let mut listed = stored(transaction)?.into_iter().filter(|row| row.listed);
            let Some(row) = listed.find(|row| row.columns.id == target.0) else {
                return Ok(None);
            };
            let about = format!("{}/{}", row.columns.group_name, row.columns.name);
            let set = sync::set(row, set, now)?;
            save_set(transaction, target, &set, &by, now)?;
            let detail = set.detail();
            access::audit(transaction, now, &by, "switches.set", &about, &detail)?;
            Ok(Some(set.switches))
        })
        .await
    }

    async fn targets_with(&self, address: &str) -> Result<Vec<TargetId>, StoreError> {
        let address = address.to_owned();
        self.transaction("reading the targets with an address", move |transaction| {
            let sql = "SELECT id FROM targets WHERE listed \
                       AND EXISTS (SELECT 1 FROM json_each(addresses) WHERE value = ?1) ORDER BY id";
            rows::select(transaction, sql, [address], |row| {
                Ok(TargetId(rows::uuid(row, "id")?))
            })
        })
        .await
    }

    async fn targets(&self) -> Result<Vec<Target>, StoreError> {
        self.transaction("reading targets", |transaction| {
            let listed = stored(transaction)?.into_iter().filter(|row| row.listed);
            Ok(by_name(listed)?)
        })
        .await
    }

    async fn targets_of(&self, source: &str) -> Result<Vec<Target>, StoreError> {
        let source = source.to_owned();
        self.transaction("reading the targets of a source", move |transaction| {
            let listed = stored(transaction)?.into_iter();
            let listed = listed.filter(|row| row.listed && row.source == source);
            Ok(by_name(listed)?)
        })
        .await
    }
}

fn stored(transaction: &Transaction<'_>) -> Result<Vec<Stored>, Problem> {
    let sql = format!("SELECT {}, {} FROM targets", rows::TARGET, rows::STANDING);
    let mut statement = transaction.prepare_cached(&sql)?;
    let stored = statement.query_map([], |row| {
        Ok(Stored {
            columns: rows::target(row)?,
            source: row.get("source")?,
            listed: row.get("listed")?,
            own: Switches {
                enabled: row.get("own_enabled")?,
                notify: row.get("own_notify")?,
                history: row.get("own_history")?,
            },
            set: rows::set(row)?,
        })
    })?;
    Ok(stored.collect::<Result<_, _>>()?)
}

fn save(transaction: &Transaction<'_>, source: &str, plan: &Plan, now: i64) -> Result<(), Problem> {
    for target in &plan.create {
        write(transaction, INSERT, source, target, now)?;
    }
    for target in plan.reschedule.iter().chain(&plan.update) {
        write(transaction, UPDATE, source, target, now)?;
    }
    let mut retire = transaction.prepare_cached("UPDATE targets SET listed = 0 WHERE id = ?1")?;
    for id in &plan.retire {
        retire.execute([id.as_bytes()])?;
    }
    Ok(())
}

fn save_set(
    transaction: &Transaction<'_>,
    target: TargetId,
    set: &Set,
    by: &str,
    now: Timestamp,
) -> Result<(), Problem> {
    let micros = |at: Timestamp| at.as_microsecond();
    let by = (set.by_hand != Switching::default()).then_some(by);
    transaction.prepare_cached(SET)?.execute(named_params! {
        ":id": target.0.as_bytes(),
        ":enabled": set.switches.enabled,
        ":notify": set.switches.notify,
        ":history": set.switches.history,
        ":set_enabled": set.by_hand.enabled,
        ":set_notify": set.by_hand.notify,
        ":set_history": set.by_hand.history,
        ":set_by": by,
        ":due": set.soon.map(|soon| micros(soon.due)),
        ":overdue": set.soon.map(|soon| micros(soon.overdue)),
        ":now": micros(now),
    })?;
    Ok(())
}

fn write(
    transaction: &Transaction<'_>,
    sql: &str,
    source: &str,
    target: &Wanted,
    now: i64,
) -> Result<(), Problem> {
    let micros = |at: Option<Timestamp>| at.map(Timestamp::as_microsecond);
    let (due, overdue) = (micros(target.due), micros(target.overdue));
    let (target, own) = (&target.columns, target.own);
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":id": target.id.as_bytes(),
        ":source": source,
        ":name": target.name,
        ":group_name": target.group_name,
        ":tags": json(&target.tags)?,
        ":zone": target.zone,
        ":addresses": json(&target.addresses)?,
        ":exclude": json(&target.exclude)?,
        ":ports": target.ports,
        ":expected": target.expected,
        ":allowed": target.allowed,
        ":interval_us": target.interval_us,
        ":cron": target.cron,
        ":time_zone": target.time_zone,
        ":closed": json(&target.closed)?,
        ":confirm_open": target.confirm_open,
        ":confirm_close": target.confirm_close,
        ":confirm_down": target.confirm_down,
        ":discovery": target.discovery,
        ":follow_names": target.follow_names,
        ":rate": target.rate,
        ":enabled": target.enabled,
        ":notify": target.notify,
        ":history": target.history,
        ":own_enabled": own.enabled,
        ":own_notify": own.notify,
        ":own_history": own.history,
        ":due": due,
        ":overdue": overdue,
        ":now": now,
    })?;
    let zone = "INSERT OR IGNORE INTO zones (zone) VALUES (?1)";
    transaction.prepare_cached(zone)?.execute([&target.zone])?;
    Ok(())
}
