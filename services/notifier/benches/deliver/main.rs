//! How fast deliveries reach a receiver on this machine and stand in the store's log, beside what `wrk` does to the
//! same receiver with the same body; and whether a receiver that hangs holds up another.
//!
//! ```text
//! tests/servers/postgres start /tmp/bench
//! PORTWATCH_TEST_POSTGRES_URL=$(cat /tmp/bench/url) cargo bench -p portwatch-notifier --bench deliver
//! ```
//!
//! `PORTWATCH_BENCH_DELIVERIES` deliveries (20000) wait in the store when the notifier starts. Needs `wrk` and `psql`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that ends at the first error and prints what it found"
)]

mod isolation;
mod receiver;
mod world;

use std::process::Command;
use std::time::{Duration, Instant};

use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::{Store, sqlite};
use uuid::Uuid;

use receiver::Receiver;
use world::{World, notification};

/// Connections of a notifier process, as the settings have it.
const POOL: usize = 8;

/// How long `wrk` asks, on as many connections as deliveries are attempted at once.
const WRK_TIME: Duration = Duration::from_secs(5);

fn main() {
    let server = std::env::var("PORTWATCH_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("PORTWATCH_TEST_POSTGRES_URL is not set: see the first lines of this file")
    });
    let count = std::env::var("PORTWATCH_BENCH_DELIVERIES");
    let count = count.map_or(20_000, |text| text.parse().unwrap());
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let name = format!("bench_{}", Uuid::new_v4().simple());
    psql(&server, &format!("CREATE DATABASE {name}"));
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    println!("PostgreSQL with fsync {}", psql(&server, "SHOW fsync"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let receiver = Receiver::start();
        let before = wrk(&receiver, folder.path());
        let embedded = sqlite::open(&folder.path().join("bench.db")).unwrap();
        let sqlite = deliver("SQLite", embedded.clone(), &receiver, count).await;
        let settings = PostgresSettings::new(&url, POOL);
        postgres::migrate(&settings).await.unwrap();
        let postgres = postgres::connect(&settings).await.unwrap();
        let on_postgres = deliver("PostgreSQL", postgres, &receiver, count).await;
        let wrk = f64::midpoint(before, wrk(&receiver, folder.path()));
        println!(
            "of wrk's {wrk:.0} requests/s: SQLite {:.3}, PostgreSQL {:.3}",
            sqlite / wrk,
            on_postgres / wrk
        );
        isolation::measure(embedded).await;
    });
    psql(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
}

/// What a query prints.
fn psql(server: &str, sql: &str) -> String {
    let mut psql = Command::new("psql");
    let done = psql.args(["-XqAt", "-d", server, "-c", sql]).output();
    let done = done.unwrap_or_else(|error| panic!("psql: {error}"));
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{sql}: {error}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// The load of the last minute, which tells what else the machine was doing.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {}", text.split(' ').next().unwrap_or("unknown"))
}

/// Deliveries a second, from the start of a notifier that finds so many due until the last is on record.
async fn deliver(what: &str, store: Store, receiver: &Receiver, count: u32) -> f64 {
    let world = World::new(store.clone());
    for number in 0..count {
        let new = notification(number, &["webhook"]);
        assert!(store.save_notification(new).await.unwrap());
    }
    receiver.forget();
    let begun = Instant::now();
    let running = world.start(&receiver.url(), None);
    while receiver.taken() < count.into() || store.count_deliveries().await.unwrap().pending > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    world.stop(running).await;
    assert_eq!(receiver.taken(), u64::from(count), "each once");
    println!("{what}: {rate:.0} deliveries/s on record, {}", load());
    rate
}

/// Requests a second of `wrk`, with the body of a delivery.
fn wrk(receiver: &Receiver, folder: &std::path::Path) -> f64 {
    let script = folder.join("post.lua");
    let body = String::from_utf8(world::body(0)).unwrap();
    let lua = format!(
        "wrk.method = \"POST\"\nwrk.headers[\"content-type\"] = \"application/json\"\nwrk.body = [==[{body}]==]\n"
    );
    std::fs::write(&script, lua).unwrap();
    let time = format!("{}s", WRK_TIME.as_secs());
    let run = Command::new("wrk")
        .args(["-t", "1", "-c", "32", "-d", &time, "-s"])
        .args([script.as_os_str(), receiver.url().as_ref()])
        .output()
        .unwrap_or_else(|error| panic!("wrk: {error}"));
    let said = String::from_utf8(run.stdout).unwrap();
    let rate = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    let rate = rate.unwrap_or_else(|| panic!("wrk says no rate: {said}"));
    let rate = rate.trim().parse().unwrap();
    println!("wrk, 32 connections: {rate:.0} requests/s, {}", load());
    rate
}
