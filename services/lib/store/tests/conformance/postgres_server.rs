//! What only a server promises: it may be away, mute, killed, old or new.

use std::time::{Duration, Instant};

use portwatch_store::postgres::{self, MigrationReport, PostgresSettings};
use portwatch_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::databases::{client, on_empty_postgres};
use crate::samples::{LEASE, at, run, sync, take_run, target};

/// A store with tables whose calls may take half a second, and a connection beside it.
async fn impatient(url: &str, pool: usize) -> (Store, Client) {
    let settings = PostgresSettings {
        limit: Duration::from_millis(500),
        ..PostgresSettings::new(url, pool)
    };
    postgres::migrate(&settings).await.unwrap();
    (
        postgres::connect(&settings).await.unwrap(),
        client(url).await,
    )
}

fn is_unavailable<T>(result: Result<T, StoreError>) -> bool {
    result.is_err_and(|error| error.is_temporary())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn tables_are_made_once() {
    on_empty_postgres(async |url| {
        let settings = PostgresSettings::new(&url, 2);
        let store = postgres::connect(&settings).await.unwrap();
        let error = store.check().await.unwrap_err();
        assert!(
            matches!(error, StoreError::OldSchema { found: 0, .. }),
            "{error}"
        );

        let mut at_once = JoinSet::new();
        for _ in 0..6 {
            let settings = settings.clone();
            at_once.spawn(async move { postgres::migrate(&settings).await.unwrap() });
        }
        let reports = at_once.join_all().await;
        let newest = reports[0].to;
        let did_it = reports.iter().filter(|report| report.from == 0);
        assert_eq!(did_it.count(), 1, "{reports:?}");
        let again = postgres::migrate(&settings).await.unwrap();
        assert_eq!(
            again,
            MigrationReport {
                from: newest,
                to: newest
            }
        );
        store.check().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn newer_tables_are_refused() {
    on_empty_postgres(async |url| {
        let (store, beside) = impatient(&url, 2).await;
        let newer = "INSERT INTO refinery_schema_history SELECT 9999, 'later', applied_on, checksum \
             FROM refinery_schema_history WHERE version = 1";
        beside.execute(newer, &[]).await.unwrap();
        let newer = |error| matches!(error, StoreError::NewSchema { found: 9999, .. });
        assert!(newer(store.check().await.unwrap_err()));
        let settings = PostgresSettings::new(&url, 2);
        assert!(newer(postgres::migrate(&settings).await.unwrap_err()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_killed_connection_is_replaced() {
    on_empty_postgres(async |url| {
        let (store, beside) = impatient(&url, 2).await;
        sync(&store, &[target("a")]).await;
        let due = store.claim_due(at(0), 1, LEASE).await.unwrap();

        // Killed while it waits inside a call.
        beside
            .batch_execute("BEGIN; SELECT * FROM targets FOR UPDATE")
            .await
            .unwrap();
        let waiting = tokio::spawn({
            let (store, run) = (store.clone(), run(&due[0], &[1], at(100)));
            async move { store.save_runs(vec![run]).await }
        });
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while beside.query(kill, &[]).await.unwrap().is_empty() {}
        let killed = waiting.await.unwrap();
        assert!(is_unavailable(killed));
        beside.batch_execute("ROLLBACK").await.unwrap();

        // Killed while it lies in the pool.
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        beside.execute(kill, &[]).await.unwrap();
        assert!(take_run(&store, run(&due[0], &[1], at(100))).await);
        assert!(!take_run(&store, run(&due[0], &[1], at(100))).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run ./tests/run"]
async fn a_call_ends_when_the_server_says_nothing() {
    on_empty_postgres(async |url| {
        let (store, beside) = impatient(&url, 1).await;
        sync(&store, &[target("a")]).await;
        let due = store.claim_due(at(0), 1, LEASE).await.unwrap();
        beside
            .batch_execute("BEGIN; SELECT * FROM targets FOR UPDATE")
            .await
            .unwrap();
        let began = Instant::now();
        assert!(is_unavailable(
            store.save_runs(vec![run(&due[0], &[1], at(100))]).await
        ));
        assert!(began.elapsed() < Duration::from_secs(3));
        // The only place in the pool is free again, although the server still waits.
        assert_eq!(store.targets().await.unwrap().len(), 1);
        beside.batch_execute("ROLLBACK").await.unwrap();
        // What was begun then may still have happened, but not twice.
        take_run(&store, run(&due[0], &[1], at(100))).await;
        assert_eq!(store.count_jobs(at(1)).await.unwrap().out, 1);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_away_or_mute_is_unavailable() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    for address in [mute.local_addr().unwrap(), away] {
        let url = format!("postgres://portwatch:s3cret@{address}/portwatch");
        let limit = Duration::from_millis(300);
        let settings = PostgresSettings {
            limit,
            ..PostgresSettings::new(url, 2)
        };
        let store = postgres::connect(&settings).await.unwrap();
        let began = Instant::now();
        let error = store.check().await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert!(began.elapsed() < Duration::from_secs(3));
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn the_password_is_never_shown() {
    for url in [
        "postgres://portwatch:s3cret@127.0.0.1:notaport/db",
        "postgres://portwatch:s3cret@127.0.0.1:5432/db?s3cret=1&sslmode=s3cret",
        "postgres://portwatch:s3cret@",
        "host=127.0.0.1 password=s3cret port=x",
        "password='s3cret",
        "s3cret",
    ] {
        let settings = PostgresSettings::new(url, 2);
        assert!(!format!("{settings:?}").contains("s3cret"));
        let error = postgres::connect(&settings).await.err().unwrap();
        assert!(
            !format!("{error} {error:?}").contains("s3cret"),
            "{url}: {error}"
        );
    }
}
