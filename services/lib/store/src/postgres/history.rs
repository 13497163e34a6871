//! The history in PostgreSQL, in one table a day.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use jiff::SignedDuration;
use portwatch_domain::change::compare::Past;
use portwatch_domain::target::TargetId;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::{Postgres, Problem, rows};
use crate::StoreError;
use crate::columns::{ChangeColumns, EvidenceColumns, cut, micros, number, parse, signed};
use crate::history::{GroupRetention, History, HistoryFilter, HistoryRow, Scan, Summary};

const SAVE: &str = "INSERT INTO history (change_id, target_id, ip, zone, run, job_id, at, kind, severity, \
     quiet, protocol, port, before, after, answer, ttl, rtt_us, probes, expected, suspect, service, detail) \
     SELECT change_id, target_id, ip, zone, run, job_id, at, kind, severity, quiet, protocol, port, before, \
     after, answer, ttl, rtt_us, probes, expected, suspect, service, detail \
     FROM unnest($1::uuid[], $2::uuid[], $3::inet[], $4::text[], $5::bigint[], $6::uuid[], \
     $7::timestamptz[], $8::text[], $9::text[], $10::boolean[], $11::text[], $12::integer[], $13::text[], \
     $14::text[], $15::text[], $16::smallint[], $17::bigint[], $18::integer[], $19::boolean[], \
     $20::boolean[], $21::text[], $22::text[]) WITH ORDINALITY \
     AS r (change_id, target_id, ip, zone, run, job_id, at, kind, severity, quiet, protocol, port, before, \
     after, answer, ttl, rtt_us, probes, expected, suspect, service, detail, place) \
     ORDER BY place ON CONFLICT DO NOTHING";

/// Adds transitions in the order in which they were found; a known one is left as it is.
pub(super) async fn save(
    transaction: &Transaction<'_>,
    history: &[HistoryRow],
) -> Result<(), Problem> {
    if history.is_empty() {
        return Ok(());
    }
    let changes: Vec<_> = history.iter().map(ChangeColumns::from).collect();
    let save = transaction.prepare_cached(SAVE).await?;
    transaction
        .execute(
            &save,
            &[
                &column(&changes, |change| change.id),
                &column(&changes, |change| change.target),
                &column(&changes, |change| change.ip),
                &column(&changes, |change| change.zone.as_deref()),
                &column(&changes, |change| change.run),
                &column(&changes, |change| change.job),
                &column(&changes, |change| change.at),
                &column(&changes, |change| change.kind.as_str()),
                &column(&changes, |change| change.severity.as_str()),
                &column(&changes, |change| change.quiet),
                &column(&changes, |change| change.protocol.as_deref()),
                &column(&changes, |change| change.port),
                &column(&changes, |change| change.before.as_deref()),
                &column(&changes, |change| change.after.as_deref()),
                &evidence(&changes, |evidence| Some(evidence.answer.as_str())),
                &evidence(&changes, |evidence| evidence.ttl),
                &evidence(&changes, |evidence| evidence.rtt_us),
                &evidence(&changes, |evidence| Some(evidence.probes)),
                &column(&changes, |change| change.expected),
                &column(&changes, |change| change.suspect),
                &column(&changes, |change| change.service.as_deref()),
                &column(&changes, |change| change.detail.as_deref()),
            ],
        )
        .await?;
    Ok(())
}

fn column<'a, T>(changes: &'a [ChangeColumns], of: impl Fn(&'a ChangeColumns) -> T) -> Vec<T> {
    changes.iter().map(of).collect()
}

fn evidence<'a, T>(
    changes: &'a [ChangeColumns],
    of: impl Fn(&'a EvidenceColumns) -> Option<T>,
) -> Vec<Option<T>> {
    column(changes, |change| change.evidence.as_ref().and_then(&of))
}

fn change(row: &Row) -> Result<ChangeColumns, Error> {
    let answer: Option<String> = row.try_get("answer")?;
    let evidence = answer.map(|_| rows::evidence(row)).transpose()?;
    Ok(ChangeColumns {
        id: row.try_get("change_id")?,
        target: row.try_get("target_id")?,
        ip: row.try_get("ip")?,
        zone: row.try_get("zone")?,
        run: row.try_get("run")?,
        job: row.try_get("job_id")?,
        at: row.try_get("at")?,
        kind: row.try_get("kind")?,
        severity: row.try_get("severity")?,
        quiet: row.try_get("quiet")?,
        protocol: row.try_get("protocol")?,
        port: row.try_get("port")?,
        before: row.try_get("before")?,
        after: row.try_get("after")?,
        evidence,
        expected: row.try_get("expected")?,
        suspect: row.try_get("suspect")?,
        service: row.try_get("service")?,
        detail: row.try_get("detail")?,
    })
}

fn scan(row: &Row) -> Result<Scan, Problem> {
    let (hosts_up, open_ports): (Option<i64>, Option<i64>) =
        (row.try_get("hosts_up")?, row.try_get("open_ports")?);
    let summary = hosts_up.zip(open_ports).map(|(hosts_up, open_ports)| {
        Ok::<_, Problem>(Summary {
            hosts_up: number("hosts_up", hosts_up)?,
            open_ports: number("open_ports", open_ports)?,
        })
    });
    Ok(Scan {
        run: number("run", row.try_get("run")?)?,
        kind: parse("kind", row.try_get("kind")?)?,
        slot: row.try_get("slot")?,
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
        summary: summary.transpose()?,
    })
}

type Value = Box<dyn ToSql + Sync + Send>;

/// The statement for what a filter asks for, and its values. Each filter has a statement and so a plan of its own.
fn filtered(filter: &HistoryFilter) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = vec![Box::new(i64::from(filter.limit))];
    let mut conditions = String::new();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        let place = format!("${}", values.len());
        conditions.push_str(" AND ");
        conditions.push_str(&condition.replace('?', &place));
    };
    if let Some(target) = filter.target {
        and("target_id = ?", Box::new(target.0));
    }
    if let Some(ip) = filter.ip {
        and("ip = ?", Box::new(ip));
    }
    if let Some(port) = filter.port {
        and("protocol = ?", Box::new(port.protocol.as_str()));
        and("port = ?", Box::new(i32::from(port.number)));
    }
    if !filter.kinds.is_empty() {
        let kinds: Vec<_> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
        and("kind = ANY(?)", Box::new(kinds));
    }
    if let Some(from) = filter.from {
        and("at >= ?", Box::new(cut(from)));
    }
    if let Some(to) = filter.to {
        and("at < ?", Box::new(cut(to)));
    }
    let sql =
        format!("SELECT * FROM history WHERE true{conditions} ORDER BY at DESC, seq DESC LIMIT $1");
    (sql, values)
}

#[async_trait]
impl History for Postgres {
    async fn history(&self, filter: HistoryFilter) -> Result<Vec<HistoryRow>, StoreError> {
        transaction!(self, "reading the history", |transaction| {
            let (sql, values) = filtered(&filter);
            let select = transaction.prepare_cached(&sql).await?;
            let values: Vec<&(dyn ToSql + Sync)> = values
                .iter()
                .map(|value| -> &(dyn ToSql + Sync) { value.as_ref() })
                .collect();
            let found = transaction.query(&select, &values).await?;
            found.iter().map(|row| Ok(change(row)?.row()?)).collect()
        })
    }

    async fn changes_after(&self, target: TargetId, run: u64) -> Result<Vec<Past>, StoreError> {
        transaction!(self, "reading what changed since a run", |transaction| {
            let select = transaction
                .prepare_cached(
                    "SELECT * FROM history WHERE target_id = $1 AND run > $2 ORDER BY seq DESC",
                )
                .await?;
            let found = transaction
                .query(&select, &[&target.0, &signed(run)])
                .await?;
            let mut past = Vec::with_capacity(found.len());
            for row in &found {
                past.extend(change(row)?.row()?.past());
            }
            Ok(past)
        })
    }

    async fn scans(&self, target: TargetId, limit: u32) -> Result<Vec<Scan>, StoreError> {
        transaction!(self, "reading scans", |transaction| {
            let select = transaction
                .prepare_cached(
                    "SELECT * FROM runs WHERE target_id = $1 ORDER BY run DESC LIMIT $2",
                )
                .await?;
            let found = transaction
                .query(&select, &[&target.0, &i64::from(limit)])
                .await?;
            found.iter().map(scan).collect()
        })
    }

    async fn sync_groups(&self, groups: &[GroupRetention]) -> Result<(), StoreError> {
        let names: Vec<_> = groups.iter().map(|group| group.group.clone()).collect();
        let keep: Vec<_> = groups
            .iter()
            .map(|group| micros(group.keep_history))
            .collect();
        transaction!(self, "saving how long history is kept", |transaction| {
            let delete = transaction
                .prepare_cached("DELETE FROM groups WHERE name <> ALL($1)")
                .await?;
            transaction.execute(&delete, &[&names]).await?;
            let save = transaction
                .prepare_cached(
                    "INSERT INTO groups (name, keep_history_us) \
                     SELECT * FROM unnest($1::text[], $2::bigint[]) \
                     ON CONFLICT (name) DO UPDATE SET keep_history_us = excluded.keep_history_us",
                )
                .await?;
            transaction.execute(&save, &[&names, &keep]).await?;
            Ok(())
        })
    }

    async fn group_retention(&self) -> Result<Vec<GroupRetention>, StoreError> {
        transaction!(self, "reading how long history is kept", |transaction| {
            let select = "SELECT name, keep_history_us FROM groups ORDER BY name COLLATE \"C\"";
            let select = transaction.prepare_cached(select).await?;
            let read = |row: &Row| -> Result<GroupRetention, Problem> {
                Ok(GroupRetention {
                    group: row.try_get("name")?,
                    keep_history: SignedDuration::from_micros(row.try_get("keep_history_us")?),
                })
            };
            transaction
                .query(&select, &[])
                .await?
                .iter()
                .map(read)
                .collect()
        })
    }
}
