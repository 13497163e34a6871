//! The copies of hosts' ports in PostgreSQL: they say what the rows say, whoever wrote those.

use std::sync::{Arc, Mutex};

use portwatch_domain::change::HostRecord;
use portwatch_domain::job::JobId;
use portwatch_domain::target::Target;
use portwatch_store::Store;
use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::snapshots::{Applied, Decided};
use tokio_postgres::Client;

use crate::confirmation::scans;
use crate::databases::{client, on_empty_postgres};
use crate::samples::{LEASE, apply, at, ip, part, ports, report, sync, target};

const HOSTS: u16 = 9;

/// A store with a target that was scanned once, and a connection beside it.
async fn scanned(url: &str) -> (Store, Client, Target) {
    let settings = PostgresSettings::new(url, 1);
    postgres::migrate(&settings).await.unwrap();
    let store = postgres::connect(&settings).await.unwrap();
    let target = target("a");
    sync(&store, std::slice::from_ref(&target)).await;
    let reports = vec![report(ip(1), "22,80"), report(ip(2), "")];
    apply(&store, &target, 1, reports).await;
    (store, client(url).await, target)
}

/// What a decision finds, which saves what it found. The number tells it from others.
async fn loaded(store: &Store, target: &Target, number: u64) -> Vec<HostRecord> {
    let reports: Vec<_> = (1..=HOSTS).map(|host| report(ip(host), "")).collect();
    let part = part(target, JobId::derive(target.id, number, 9), 0, &reports);
    let found = Arc::new(Mutex::new(Vec::new()));
    let seen = found.clone();
    let decide = Box::new(move |loaded: portwatch_store::snapshots::Loaded| {
        let known = loaded.hosts.into_iter();
        let known: Vec<_> = known.filter(|host| host.since.is_some()).collect();
        seen.lock().unwrap().clone_from(&known);
        Decided {
            hosts: known,
            ..Decided::default()
        }
    });
    let applied = store.apply_snapshot(part, decide).await.unwrap();
    assert_eq!(applied, Applied::Applied);
    let mut found = found.lock().unwrap();
    std::mem::take(&mut *found)
}

/// How many hosts have a copy.
async fn copies(beside: &Client) -> i64 {
    let count = "SELECT count(*) FROM packed_ports";
    beside.query_one(count, &[]).await.unwrap().get(0)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_copy_says_what_the_rows_say_after_each_scan() {
    on_empty_postgres(async |url| {
        let (store, beside, target) = scanned(&url).await;
        for (report, run) in scans().into_iter().zip(2..) {
            apply(&store, &target, run, vec![report]).await;
            assert_eq!(copies(&beside).await, 2);
            let rows = store.hosts(target.id).await.unwrap();
            assert_eq!(loaded(&store, &target, run).await, rows, "run {run}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn what_others_write_into_the_rows_is_seen() {
    on_empty_postgres(async |url| {
        let (store, beside, target) = scanned(&url).await;
        let writes = [
            "UPDATE ports SET state = 'closed', transition = 5 WHERE port = 80",
            "UPDATE ports SET port = 81 WHERE port = 80",
            "DELETE FROM ports WHERE port = 22",
            "INSERT INTO ports SELECT target_id, '198.18.0.2', protocol, 443, state, since, first_seen, \
             last_seen, 1, answer, ttl, rtt_us, probes FROM ports",
            "INSERT INTO ports SELECT * FROM ports ON CONFLICT (target_id, ip, protocol, port) \
             DO UPDATE SET state = 'filtered'",
            "UPDATE ports SET ip = '198.18.0.2' WHERE ip = '198.18.0.1'",
            "UPDATE hosts SET ip = '198.18.0.7' WHERE ip = '198.18.0.2'",
            "DELETE FROM ports",
            "DELETE FROM hosts WHERE ip = '198.18.0.7'",
        ];
        for (write, number) in writes.into_iter().zip(2..) {
            let before = store.hosts(target.id).await.unwrap();
            beside.execute(write, &[]).await.unwrap();
            let rows = store.hosts(target.id).await.unwrap();
            assert_ne!(rows, before, "{write}");
            assert_eq!(loaded(&store, &target, number).await, rows, "{write}");
            let hosts = i64::try_from(rows.len()).unwrap();
            assert_eq!(copies(&beside).await, hosts, "{write}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_copy_that_cannot_be_read_is_made_again() {
    on_empty_postgres(async |url| {
        let (store, beside, target) = scanned(&url).await;
        let rows = store.hosts(target.id).await.unwrap();
        let select = "SELECT packed FROM packed_ports ORDER BY ip";
        let whole: Vec<u8> = beside.query(select, &[]).await.unwrap()[0].get(0);
        let breaks = "UPDATE packed_ports SET packed = substr(packed, 1, length(packed) - 1)";
        for (write, number) in [(breaks, 2), ("DELETE FROM packed_ports", 3)] {
            beside.execute(write, &[]).await.unwrap();
            let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
            let open = due.into_iter().map(|due| due.known.open);
            assert!(open.eq((number == 2).then(|| [(ip(1), ports("22,80"))].into())));
            assert_eq!(loaded(&store, &target, number).await, rows, "{write}");
            let again: Vec<u8> = beside.query(select, &[]).await.unwrap()[0].get(0);
            assert_eq!(again, whole);
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_scan_that_finds_what_is_known_reads_no_row_of_ports() {
    on_empty_postgres(async |url| {
        let (store, beside, target) = scanned(&url).await;
        let hide = "ALTER TABLE ports RENAME TO hidden";
        beside.execute(hide, &[]).await.unwrap();
        let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
        assert_eq!(due[0].known.open, [(ip(1), ports("22,80"))].into());
        let reports = vec![report(ip(1), "22,80"), report(ip(2), "")];
        let applied = apply(&store, &target, 2, reports).await;
        assert_eq!(applied, Applied::Applied);
    })
    .await;
}
