//! What the server can do at all, and a history as after a long time.

use std::fmt::Write as _;
use std::io::Cursor;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use tokio_postgres::Client;

const ROWS: u32 = 10_000;
const UPDATE: &str = "\\set id random(1, 10000)\nUPDATE single SET at = now() WHERE id = :id;\n";

/// Single-row updates a second of one connection, by pgbench with prepared statements.
pub async fn single_updates(url: &str, beside: &Client, long: Duration) -> f64 {
    let make = format!(
        "DROP TABLE IF EXISTS single; \
         CREATE TABLE single (id integer PRIMARY KEY, at timestamptz NOT NULL) WITH (fillfactor = 70); \
         INSERT INTO single SELECT n, now() FROM generate_series(1, {ROWS}) n"
    );
    beside.batch_execute(&make).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("update.sql");
    std::fs::write(&script, UPDATE).unwrap();
    let seconds = long.as_secs().to_string();
    let run = std::process::Command::new(pgbench())
        .args(["-n", "-M", "prepared", "-c", "1", "-T", &seconds, "-f"])
        .args([script.as_os_str(), url.as_ref()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let tps = tps.unwrap_or_else(|| panic!("pgbench says no rate: {said}"));
    tps.split(' ').next().unwrap().parse().unwrap()
}

/// The pgbench of the newest PostgreSQL of Debian's packages, or the one in the path.
fn pgbench() -> std::path::PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let newest = installed
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/pgbench")))
        .filter(|program| program.exists())
        .max();
    newest.unwrap_or_else(|| "pgbench".into())
}

/// Rows a second that COPY takes in, into a table like that of ports.
pub async fn copied(beside: &Client) -> f64 {
    const COPIED: u32 = 300_000;
    beside
        .batch_execute("CREATE TABLE copied (LIKE ports INCLUDING DEFAULTS INCLUDING INDEXES)")
        .await
        .unwrap();
    let mut lines = String::new();
    for row in 0..COPIED {
        let [_, high, low, _] = (row / 50 * 256).to_be_bytes();
        let time = "2026-01-01 00:00:00+00";
        writeln!(
            lines,
            "00000000-0000-0000-0000-000000000001\t198.18.{high}.{low}\ttcp\t{}\topen\t{time}\t{time}\t\
             {time}\t1\tsyn-ack\t64\t1234\t2",
            row % 50 + 1
        )
        .unwrap();
    }
    let begun = Instant::now();
    let copy = "COPY copied (target_id, ip, protocol, port, state, since, first_seen, last_seen, \
         transition, answer, ttl, rtt_us, probes) FROM STDIN";
    let mut sink = Box::pin(beside.copy_in(copy).await.unwrap());
    sink.send(Cursor::new(lines.into_bytes())).await.unwrap();
    assert_eq!(sink.as_mut().finish().await.unwrap(), u64::from(COPIED));
    f64::from(COPIED) / begun.elapsed().as_secs_f64()
}

/// Fills the history up to so many rows, of two weeks.
pub async fn fill_history(beside: &Client, rows: i64) {
    let days = "SELECT make_history_day((now() AT TIME ZONE 'UTC')::date - ago) \
         FROM generate_series(1, 14) AS ago";
    beside.execute(days, &[]).await.unwrap();
    let fill = "INSERT INTO history (change_id, target_id, ip, run, job_id, at, kind, severity, quiet, \
         protocol, port, before, after, answer, probes, expected) \
         SELECT gen_random_uuid(), (SELECT id FROM targets LIMIT 1), '198.18.0.1', n, gen_random_uuid(), \
         now() - n * interval '14 days' / $1::bigint, 'port.opened', 'high', false, 'tcp', 22, \
         'closed', 'open', 'syn-ack', 1, false \
         FROM generate_series(1, $1::bigint - (SELECT count(*) FROM history)) n";
    beside.execute(fill, &[&rows]).await.unwrap();
}
