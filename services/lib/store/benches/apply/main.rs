//! How fast snapshots are applied in PostgreSQL, beside what the same server can do at all.
//!
//! ```text
//! tests/servers/postgres start /tmp/bench
//! PORTWATCH_TEST_POSTGRES_URL=$(cat /tmp/bench/url) cargo bench -p portwatch-store --bench apply
//! ```
//!
//! `PORTWATCH_BENCH_HISTORY` names the sizes of the history, in rows, by default `100000`; give
//! `100000,10000000` and a few minutes to see whether the cost stays the same.
//!
//! That server writes without fsync. Beside a real one, give the address of a server of your own. How long a disk
//! takes can change within seconds, so pgbench is run right before each figure that is compared with it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that ends at the first error and prints what it found"
)]

mod limits;
mod world;

use std::time::{Duration, Instant};

use portwatch_store::postgres::{self, PostgresSettings};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use world::{Finds, PORTS, World};

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_secs(8);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let server = std::env::var("PORTWATCH_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("PORTWATCH_TEST_POSTGRES_URL is not set: see the first lines of this file")
    });
    let sizes = std::env::var("PORTWATCH_BENCH_HISTORY").unwrap_or_else(|_| "100000".to_owned());
    let sizes: Vec<i64> = sizes.split(',').map(|rows| rows.parse().unwrap()).collect();
    let admin = client(&server).await;
    let name = format!("bench_{}", Uuid::new_v4().simple());
    admin
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    measure(&url, &sizes).await;
    admin
        .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await
        .unwrap();
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The load of the last minute, which tells what else the machine was doing.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {}", text.split(' ').next().unwrap_or("unknown"))
}

async fn measure(url: &str, sizes: &[i64]) {
    let settings = PostgresSettings::new(url, 4);
    postgres::migrate(&settings).await.unwrap();
    let beside = client(url).await;
    let fsync = beside.query_one("SHOW fsync", &[]).await.unwrap();
    println!("fsync {}, {}", fsync.get::<_, &str>(0), load());

    let copied = limits::copied(&beside).await;
    println!("COPY, 1 connection:     {copied:9.0} rows/s, {}", load());

    let store = postgres::connect(&settings).await.unwrap();
    let mut world = World::make(store).await;
    for &rows in sizes {
        let filled = Instant::now();
        limits::fill_history(&beside, rows).await;
        beside.batch_execute("VACUUM ANALYZE").await.unwrap();
        println!("history: {rows} rows, filled in {:.0?}", filled.elapsed());
        world.settle().await;
        for (differs, finds) in [(1, Finds::Known), (2, Finds::Known), (1, Finds::Changes)] {
            let updates = limits::single_updates(url, &beside, MEASURED / 2).await;
            println!(
                "pgbench, 1 connection:  {updates:9.0} single-row updates/s, {}",
                load()
            );
            let (hosts, took) = world.scans(differs, finds, MEASURED).await;
            let rate = f64::from(hosts) / took.as_secs_f64();
            println!(
                "{differs} connection(s):        {rate:9.0} host-snapshots/s of {PORTS} open ports, {finds}, \
                 {:.2} x pgbench per connection, {:.2} x COPY of their ports, {}",
                rate / f64::from(differs) / updates,
                rate * f64::from(PORTS) / copied,
                load()
            );
        }
    }
}
