//! What it costs to claim the slots of many targets and to save their runs, against PostgreSQL.
//!
//! ```text
//! tests/servers/postgres start /tmp/bench
//! PORTWATCH_TEST_POSTGRES_URL=$(cat /tmp/bench/url) cargo bench -p portwatch-scheduler --bench claims
//! ```
//!
//! `PORTWATCH_BENCH_TARGETS` targets (100000) with an interval of five minutes, for `PORTWATCH_BENCH_MINUTES` (5; 60
//! is the real hour) of a simulated clock: rounds of claims as the service makes them, and its relay, which
//! publishes to nobody. Give it a server of its own, because the server's time counts.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that ends at the first error and prints what it found"
)]

mod cost;
mod psql;

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use portwatch_runtime::settings::List;
use portwatch_scheduler::{Settings, Source, TargetSettings, claim};
use portwatch_store::outbox::{OutboxMessage, Relay, Topic};
use portwatch_store::postgres::{self, PostgresSettings};
use portwatch_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use psql::Psql;

/// What the differ does when the snapshots of all jobs that are out have come, and what autovacuum would have done
/// in a minute.
const FINISH: &str = "UPDATE targets SET busy_until = NULL WHERE busy_until IS NOT NULL; \
     UPDATE jobs SET finished_at = now() WHERE finished_at IS NULL; \
     VACUUM (ANALYZE) targets, runs, jobs, outbox";

/// How often jobs are finished, by the simulated clock.
const FINISH_EVERY: SignedDuration = SignedDuration::from_secs(60);

fn number(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let server = std::env::var("PORTWATCH_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("PORTWATCH_TEST_POSTGRES_URL is not set: see the first lines of this file")
    });
    let name = format!("bench_{}", Uuid::new_v4().simple());
    let mut admin = Psql::open(&server);
    admin.run(&format!("CREATE DATABASE {name}"));
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    measure(&url).await;
    admin.run(&format!("DROP DATABASE {name} WITH (FORCE)"));
    admin.close();
}

async fn measure(url: &str) {
    let (count, minutes) = (
        number("PORTWATCH_BENCH_TARGETS", 100_000),
        number("PORTWATCH_BENCH_MINUTES", 5),
    );
    let settings = PostgresSettings::new(url, 8);
    postgres::migrate(&settings).await.unwrap();
    let store = postgres::connect(&settings).await.unwrap();
    let mut beside = Psql::open(url);
    println!("fsync {}, {}", beside.one("SHOW fsync"), cost::load());

    let targets: Vec<TargetSettings> = (0..count).map(target).collect();
    let targets = Source::Settings.targets(&[], &targets).unwrap();
    let clock = Instant::now();
    // As many sources, because a statement may take ten seconds and no longer.
    // The relay goes by the real clock, and all messages must be due by it.
    let begin = Timestamp::now() - SignedDuration::from_mins(i64::from(minutes) + 10);
    store.sync_targets("bench", &targets, begin).await.unwrap();
    println!("{count} targets synced in {:.1?}", clock.elapsed());
    drop(targets);
    beside.run("VACUUM ANALYZE");

    let postmaster: u32 = beside
        .one("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
        .parse()
        .unwrap();
    let before = cpu(postmaster, &beside);
    let clock = Instant::now();
    let made = run(&store, &mut beside, begin, minutes).await;
    let took = clock.elapsed().as_secs_f64();
    let after = cpu(postmaster, &beside);
    report(
        made,
        minutes,
        took,
        (after.0 - before.0, after.1 - before.1),
    );
    check(&mut beside, made);
    beside.close();
}

/// Seconds of CPU of this process, and of the server without the session that finishes jobs.
fn cpu(postmaster: u32, beside: &Psql) -> (f64, f64) {
    (
        cost::of_process(std::process::id()),
        cost::of_family(postmaster) - cost::of_process(beside.backend),
    )
}

fn report(made: u64, minutes: u32, took: f64, (ours, theirs): (f64, f64)) {
    let simulated = f64::from(minutes) * 60.0;
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    let rate = made as f64 / took;
    println!("{made} runs of {minutes} simulated minutes in {took:.0} s: {rate:.0} runs/s");
    for (who, seconds) in [
        ("scheduler", ours),
        ("PostgreSQL", theirs),
        ("both", ours + theirs),
    ] {
        let cores = seconds / simulated;
        println!("{who:10} {seconds:6.1} s of CPU, {cores:.3} cores of the simulated time");
    }
    let memory = cost::peak_memory();
    println!(
        "peak memory of this process: {memory:.0} MB, {}",
        cost::load()
    );
}

fn target(number: u32) -> TargetSettings {
    let [_, high, middle, low] = number.to_be_bytes();
    TargetSettings {
        name: format!("target {number}"),
        // Nothing is scanned: jobs are made, and nobody takes them.
        addresses: List(vec![format!("127.{high}.{middle}.{low}")]),
        ..TargetSettings::default()
    }
}

/// Claims as the service does, on a clock that is moved to when the next target is due.
async fn run(store: &Store, beside: &mut Psql, begin: Timestamp, minutes: u32) -> u64 {
    let settings = Settings::default();
    let wake = Arc::new(Notify::new());
    let shutdown = CancellationToken::new();
    let relay = Relay::new(store.clone(), Topic::Job, wake.clone());
    let publish = |_: OutboxMessage| async { Ok::<(), StoreError>(()) };
    let stop = shutdown.clone();
    let relaying = tokio::spawn(async move { relay.run(publish, stop).await });

    let end = begin + SignedDuration::from_mins(minutes.into());
    let (mut now, mut finish_at, mut made) = (begin, begin + FINISH_EVERY, 0);
    while now < end {
        let claimed = claim(store, &settings, now).await.unwrap();
        made += claimed.made;
        wake.notify_one();
        // What the service waits is what this clock moves.
        now += SignedDuration::try_from(claimed.pause).unwrap();
        if now >= finish_at {
            finish_at = now + FINISH_EVERY;
            beside.run(FINISH);
        }
    }
    while store.outbox_depth(Topic::Job).await.unwrap() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    shutdown.cancel();
    relaying.await.unwrap();
    made
}

/// Every slot once: no slot and no number is taken twice, and none lies between two that follow each other.
fn check(beside: &mut Psql, made: u64) {
    let runs = beside.one("SELECT count(*) FROM runs");
    let doubled = beside.one(
        "SELECT count(*) FROM (SELECT FROM runs GROUP BY target_id, slot HAVING count(*) > 1) doubled",
    );
    let gaps = beside.one(
        "SELECT count(*) FROM (SELECT run, slot - lag(slot) OVER (PARTITION BY target_id ORDER BY run) AS step \
         FROM runs) steps WHERE run > 2 AND step <> interval '5 minutes'",
    );
    let unscanned = beside.one("SELECT count(*) FROM targets WHERE run = 0");
    println!("stored: {runs} runs, {doubled} slots twice, {gaps} gaps, {unscanned} targets never");
    assert_eq!(
        (runs, doubled.as_str(), gaps.as_str()),
        (made.to_string(), "0", "0")
    );
}
