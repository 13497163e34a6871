//! An empty database for each test, gone at its end.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::{Store, sqlite};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// How many connections a test may use at once.
const POOL: usize = 12;

pub async fn on_sqlite(test: impl AsyncFnOnce(Store)) {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite::open(&folder.path().join("portwatch.db")).unwrap();
    test(store).await;
}

/// Runs a test on a database with tables.
pub async fn on_postgres(test: impl AsyncFnOnce(Store)) {
    on_empty_postgres(async |url| {
        let settings = PostgresSettings::new(url, POOL);
        postgres::migrate(&settings).await.unwrap();
        test(postgres::connect(&settings).await.unwrap()).await;
    })
    .await;
}

/// Runs a test on a database without any tables, by its address.
pub async fn on_empty_postgres(test: impl AsyncFnOnce(String)) {
    let server = std::env::var("PORTWATCH_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("PORTWATCH_TEST_POSTGRES_URL is not set: run ./tests/run, or ./tests/run --servers")
    });
    let admin = client(&server).await;
    let name = format!("store_{}", Uuid::new_v4().simple());
    let create = format!("CREATE DATABASE {name}");
    admin.batch_execute(&create).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let outcome = AssertUnwindSafe(test(url)).catch_unwind().await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.batch_execute(&drop).await.unwrap();
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// A connection beside the store.
pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
