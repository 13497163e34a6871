//! When ports were last seen, which stands with their host.

use std::collections::BTreeMap;

use portwatch_domain::change::HostRecord;
use portwatch_domain::change::diff::diff;
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{HostReport, HostState, PortState};
use portwatch_domain::target::Target;
use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::snapshots::{Decided, Loaded};
use portwatch_store::{Store, sqlite};
use tokio_postgres::Client;

use crate::databases::{client, on_empty_postgres};
use crate::samples::{AT_ONCE, apply, at, ip, part, ports, report, sync, target};

/// A report that covers only some ports of [`report`].
pub fn partly(open: &str, covered: &str) -> HostReport {
    let mut report = report(ip(1), open);
    report.coverage = ports(covered);
    let covered = &report.coverage;
    report
        .ports
        .retain(|verdict| covered.contains(verdict.port));
    report
}

/// A report that tells only of open ports by themselves.
fn summed(open: &str) -> HostReport {
    let mut report = report(ip(1), open);
    report
        .ports
        .retain(|verdict| verdict.state == PortState::Open);
    report
}

fn silent() -> HostReport {
    HostReport {
        state: HostState::Down,
        coverage: PortSet::empty(),
        ports: Vec::new(),
        ..report(ip(1), "")
    }
}

/// Scans that confirm all ports, some, others, and none, in between with changes.
pub fn scans() -> Vec<HostReport> {
    vec![
        report(ip(1), "22,80,443"),
        report(ip(1), "22,80,443"),
        partly("22,80,443", "22"),
        partly("22,80,443", "80,443"),
        silent(),
        partly("22,80,443", "443"),
        report(ip(1), "22,80"),
        summed("22"),
        partly("22,80,443", "22,443"),
        report(ip(1), "22,80,443"),
    ]
}

pub async fn each_port_keeps_its_own_last_confirmation(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let decided_at_once = Target {
        confirm: AT_ONCE,
        ..target.clone()
    };
    let mut expected = HostRecord::new(ip(1));
    for (report, run) in scans().into_iter().zip(1..) {
        let seen_at = at(i64::try_from(run).unwrap());
        expected = diff(&decided_at_once, expected, &report, run, seen_at).after;
        apply(&store, &target, run, vec![report]).await;
        let hosts = store.hosts(target.id).await.unwrap();
        assert_eq!(hosts, [expected.clone()], "after run {run}");
    }
}

pub async fn an_earlier_confirmation_is_taken_back(store: Store) {
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    apply(&store, &target, 1, vec![report(ip(1), "22,80")]).await;
    apply(&store, &target, 2, vec![partly("22", "22")]).await;
    let seen = |hosts: &[HostRecord]| -> BTreeMap<u16, jiff::Timestamp> {
        let ports = hosts[0].ports.iter();
        ports
            .map(|(port, record)| (port.number, record.last_seen))
            .collect()
    };
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(seen(&hosts), [(22, at(2)), (80, at(1))].into());
    // A decision may say that a port was seen earlier than was thought.
    let part = part(
        &target,
        JobId::derive(target.id, 3, 0),
        0,
        &[report(ip(1), "")],
    );
    let decide = Box::new(|mut loaded: Loaded| {
        let ssh = loaded.hosts[0].ports.get_mut(&Port::tcp(22)).unwrap();
        ssh.last_seen = at(-1);
        Decided {
            hosts: loaded.hosts,
            ..Decided::default()
        }
    });
    store.apply_snapshot(part, decide).await.unwrap();
    let hosts = store.hosts(target.id).await.unwrap();
    assert_eq!(seen(&hosts), [(22, at(-1)), (80, at(1))].into());
}

/// Which transaction wrote each row of ports.
async fn written_by(beside: &Client) -> Vec<(i32, String)> {
    let select = "SELECT port, xmin::text FROM ports ORDER BY port";
    let rows = beside.query(select, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_scan_that_finds_what_is_known_writes_no_port() {
    on_empty_postgres(async |url| {
        let settings = PostgresSettings::new(&url, 2);
        postgres::migrate(&settings).await.unwrap();
        let store = postgres::connect(&settings).await.unwrap();
        let beside = client(&url).await;
        let target = target("a");
        sync(&store, std::slice::from_ref(&target)).await;
        apply(&store, &target, 1, vec![report(ip(1), "22,80,443")]).await;
        let first = written_by(&beside).await;
        for (report, run) in scans().into_iter().take(6).zip(2..) {
            apply(&store, &target, run, vec![report]).await;
        }
        assert_eq!(written_by(&beside).await, first);
        apply(&store, &target, 8, vec![report(ip(1), "22,443")]).await;
        let changed = written_by(&beside).await;
        assert_eq!((&changed[0], &changed[2]), (&first[0], &first[2]));
        assert_ne!(changed[1], first[1], "port 80 closed");
    })
    .await;
}

/// The last 20 verdicts stand with the port, so one that changed is written until its change is past.
#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_port_that_changed_is_written_until_it_was_steady_for_twenty_scans() {
    on_empty_postgres(async |url| {
        let settings = PostgresSettings::new(&url, 2);
        postgres::migrate(&settings).await.unwrap();
        let store = postgres::connect(&settings).await.unwrap();
        let beside = client(&url).await;
        let target = target("a");
        sync(&store, std::slice::from_ref(&target)).await;
        apply(&store, &target, 1, vec![report(ip(1), "22,80")]).await;
        apply(&store, &target, 2, vec![report(ip(1), "22")]).await;
        let mut before = written_by(&beside).await;
        let steady = before[0].clone();
        for run in 3..=25 {
            apply(&store, &target, run, vec![report(ip(1), "22")]).await;
            let after = written_by(&beside).await;
            assert_eq!(after[0], steady, "port 22 did not change");
            assert_eq!(after[1] != before[1], run <= 22, "port 80, run {run}");
            before = after;
        }
    })
    .await;
}

/// What was last seen according to the rows of ports alone, as before there was anything else, counts;
/// so does a row that a program of that time writes later.
const AS_BEFORE: &str = "UPDATE hosts SET confirmed_at = NULL, left_behind = ''";

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn what_older_programs_wrote_counts_in_postgres() {
    on_empty_postgres(async |url| {
        let settings = PostgresSettings::new(&url, 2);
        postgres::migrate(&settings).await.unwrap();
        let store = postgres::connect(&settings).await.unwrap();
        let beside = client(&url).await;
        let target = target("a");
        sync(&store, std::slice::from_ref(&target)).await;
        apply(&store, &target, 1, vec![report(ip(1), "22,80")]).await;
        beside.batch_execute(AS_BEFORE).await.unwrap();
        let write = "UPDATE ports SET last_seen = $1 WHERE port = 80";
        beside.execute(write, &[&at(5)]).await.unwrap();
        older_rows_count(&store, 5).await;
        apply(&store, &target, 6, vec![partly("22", "22")]).await;
        beside.execute(write, &[&at(7)]).await.unwrap();
        older_rows_count(&store, 7).await;
    })
    .await;
}

#[tokio::test]
async fn what_older_programs_wrote_counts_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portwatch.db");
    let store = sqlite::open(&file).unwrap();
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    apply(&store, &target, 1, vec![report(ip(1), "22,80")]).await;
    let beside = rusqlite::Connection::open(&file).unwrap();
    beside.execute_batch(AS_BEFORE).unwrap();
    let write = "UPDATE ports SET last_seen = ?1 WHERE port = 80";
    beside.execute(write, [at(5).as_microsecond()]).unwrap();
    older_rows_count(&store, 5).await;
    apply(&store, &target, 6, vec![partly("22", "22")]).await;
    beside.execute(write, [at(7).as_microsecond()]).unwrap();
    older_rows_count(&store, 7).await;
}

async fn older_rows_count(store: &Store, seconds: i64) {
    let hosts = store.hosts(target("a").id).await.unwrap();
    let port = &hosts[0].ports[&Port::tcp(80)];
    assert_eq!(port.last_seen, at(seconds));
}
