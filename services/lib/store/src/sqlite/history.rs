//! The history in SQLite.

use async_trait::async_trait;
use jiff::SignedDuration;
use portwatch_domain::change::compare::Past;
use portwatch_domain::target::TargetId;
use rusqlite::types::{ToSql, Type};
use rusqlite::{Row, Transaction, named_params, params, params_from_iter};
use uuid::Uuid;

use super::{Problem, Sqlite, rows};
use crate::StoreError;
use crate::columns::{ChangeColumns, micros, number, parse, signed};
use crate::history::{GroupRetention, History, HistoryFilter, HistoryRow, Scan, Summary};

const SAVE: &str = "INSERT INTO history (change_id, target_id, ip, zone, run, job_id, at, kind, severity, \
     quiet, protocol, port, before, after, answer, ttl, rtt_us, probes, expected, suspect, service, detail) \
     VALUES (:id, :target, :ip, :zone, :run, :job, :at, :kind, :severity, :quiet, :protocol, :port, :before, \
     :after, :answer, :ttl, :rtt_us, :probes, :expected, :suspect, :service, :detail) \
     ON CONFLICT (change_id) DO NOTHING";

/// Adds transitions in the order in which they were found; a known one is left as it is.
pub(super) fn save(transaction: &Transaction<'_>, history: &[HistoryRow]) -> Result<(), Problem> {
    if history.is_empty() {
        return Ok(());
    }
    let mut save = transaction.prepare_cached(SAVE)?;
    for change in history.iter().map(ChangeColumns::from) {
        let evidence = change.evidence.as_ref();
        save.execute(named_params! {
            ":id": change.id.as_bytes(),
            ":target": change.target.as_ref().map(Uuid::as_bytes),
            ":ip": change.ip.map(|ip| ip.to_string()),
            ":zone": change.zone,
            ":run": change.run,
            ":job": change.job.as_ref().map(Uuid::as_bytes),
            ":at": change.at.as_microsecond(),
            ":kind": change.kind,
            ":severity": change.severity,
            ":quiet": change.quiet,
            ":protocol": change.protocol,
            ":port": change.port,
            ":before": change.before,
            ":after": change.after,
            ":answer": evidence.map(|evidence| &evidence.answer),
            ":ttl": evidence.and_then(|evidence| evidence.ttl),
            ":rtt_us": evidence.and_then(|evidence| evidence.rtt_us),
            ":probes": evidence.map(|evidence| evidence.probes),
            ":expected": change.expected,
            ":suspect": change.suspect,
            ":service": change.service,
            ":detail": change.detail,
        })?;
    }
    Ok(())
}

fn change(row: &Row<'_>) -> rusqlite::Result<ChangeColumns> {
    let answer: Option<String> = row.get("answer")?;
    let ip: Option<String> = row.get("ip")?;
    let ip = ip.map(|text| text.parse()).transpose();
    let id = |column| -> rusqlite::Result<Option<Uuid>> {
        Ok(row
            .get::<_, Option<[u8; 16]>>(column)?
            .map(Uuid::from_bytes))
    };
    Ok(ChangeColumns {
        id: rows::uuid(row, "change_id")?,
        target: id("target_id")?,
        ip: ip.map_err(|error: std::net::AddrParseError| rows::unreadable(Type::Text, error))?,
        zone: row.get("zone")?,
        run: row.get("run")?,
        job: id("job_id")?,
        at: rows::time(row, "at")?,
        kind: row.get("kind")?,
        severity: row.get("severity")?,
        quiet: row.get("quiet")?,
        protocol: row.get("protocol")?,
        port: row.get("port")?,
        before: row.get("before")?,
        after: row.get("after")?,
        evidence: answer.map(|_| rows::evidence(row)).transpose()?,
        expected: row.get("expected")?,
        suspect: row.get("suspect")?,
        service: row.get("service")?,
        detail: row.get("detail")?,
    })
}

/// The columns of a scan that still have to be read as what they are.
struct ScanColumns {
    scan: Scan,
    run: i64,
    kind: String,
    hosts_up: Option<i64>,
    open_ports: Option<i64>,
}

fn scan(row: &Row<'_>) -> rusqlite::Result<ScanColumns> {
    Ok(ScanColumns {
        scan: Scan {
            run: 0,
            kind: crate::requests::RunKind::Slot,
            slot: rows::optional_time(row, "slot")?,
            created_at: rows::time(row, "created_at")?,
            finished_at: rows::optional_time(row, "finished_at")?,
            summary: None,
        },
        run: row.get("run")?,
        kind: row.get("kind")?,
        hosts_up: row.get("hosts_up")?,
        open_ports: row.get("open_ports")?,
    })
}

impl ScanColumns {
    fn scan(self) -> Result<Scan, Problem> {
        let summary = self
            .hosts_up
            .zip(self.open_ports)
            .map(|(hosts_up, open_ports)| {
                Ok::<_, Problem>(Summary {
                    hosts_up: number("hosts_up", hosts_up)?,
                    open_ports: number("open_ports", open_ports)?,
                })
            });
        Ok(Scan {
            run: number("run", self.run)?,
            kind: parse("kind", &self.kind)?,
            summary: summary.transpose()?,
            ..self.scan
        })
    }
}

type Value = Box<dyn ToSql>;

/// The statement for what a filter asks for, and its values.
fn filtered(filter: &HistoryFilter) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = vec![Box::new(filter.limit)];
    let mut conditions = String::new();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        let place = format!("?{}", values.len());
        conditions.push_str(" AND ");
        conditions.push_str(&condition.replace('?', &place));
    };
    if let Some(target) = filter.target {
        and("target_id = ?", Box::new(*target.0.as_bytes()));
    }
    if let Some(ip) = filter.ip {
        and("ip = ?", Box::new(ip.to_string()));
    }
    if let Some(port) = filter.port {
        and("protocol = ?", Box::new(port.protocol.as_str()));
        and("port = ?", Box::new(port.number));
    }
    if !filter.kinds.is_empty() {
        let kinds: Vec<_> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
        // No word holds what would have to be escaped.
        let kinds = format!("[\"{}\"]", kinds.join("\",\""));
        and("kind IN (SELECT value FROM json_each(?))", Box::new(kinds));
    }
    if let Some(from) = filter.from {
        and("at >= ?", Box::new(from.as_microsecond()));
    }
    if let Some(to) = filter.to {
        and("at < ?", Box::new(to.as_microsecond()));
    }
    let sql =
        format!("SELECT * FROM history WHERE true{conditions} ORDER BY at DESC, seq DESC LIMIT ?1");
    (sql, values)
}

#[async_trait]
impl History for Sqlite {
    async fn history(&self, filter: HistoryFilter) -> Result<Vec<HistoryRow>, StoreError> {
        self.transaction("reading the history", move |transaction| {
            let (sql, values) = filtered(&filter);
            let found = rows::select(transaction, &sql, params_from_iter(values), change)?;
            let history: Result<_, _> = found.into_iter().map(ChangeColumns::row).collect();
            Ok(history?)
        })
        .await
    }

    async fn changes_after(&self, target: TargetId, run: u64) -> Result<Vec<Past>, StoreError> {
        self.transaction("reading what changed since a run", move |transaction| {
            let found = rows::select(
                transaction,
                "SELECT * FROM history WHERE target_id = ?1 AND run > ?2 ORDER BY seq DESC",
                params![target.0.as_bytes(), signed(run)],
                change,
            )?;
            let mut past = Vec::with_capacity(found.len());
            for change in found {
                past.extend(change.row()?.past());
            }
            Ok(past)
        })
        .await
    }

    async fn scans(&self, target: TargetId, limit: u32) -> Result<Vec<Scan>, StoreError> {
        self.transaction("reading scans", move |transaction| {
            let found = rows::select(
                transaction,
                "SELECT * FROM runs WHERE target_id = ?1 ORDER BY run DESC LIMIT ?2",
                params![target.0.as_bytes(), limit],
                scan,
            )?;
            found.into_iter().map(ScanColumns::scan).collect()
        })
        .await
    }

    async fn sync_groups(&self, groups: &[GroupRetention]) -> Result<(), StoreError> {
        let groups = groups.to_vec();
        self.transaction("saving how long history is kept", move |transaction| {
            transaction.execute("DELETE FROM groups", [])?;
            let mut save = transaction.prepare_cached(
                "INSERT INTO groups (name, keep_history_us) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET keep_history_us = excluded.keep_history_us",
            )?;
            for group in &groups {
                save.execute(params![group.group, micros(group.keep_history)])?;
            }
            Ok(())
        })
        .await
    }

    async fn group_retention(&self) -> Result<Vec<GroupRetention>, StoreError> {
        self.transaction("reading how long history is kept", |transaction| {
            rows::select(
                transaction,
                "SELECT name, keep_history_us FROM groups ORDER BY name",
                [],
                |row| {
                    Ok(GroupRetention {
                        group: row.get("name")?,
                        keep_history: SignedDuration::from_micros(row.get("keep_history_us")?),
                    })
                },
            )
        })
        .await
    }
}
