//! A scanner worker that goes away in mid-job, over RabbitMQ: killed, or told to stop. Its job goes back,
//! another worker does it, and everybody is told once what changed.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use portwatch_tests::{Listener, Portwatch, Receiver, SECRET, Servers, free_port, until};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Hosts of the one job of a run. Nothing else on this machine uses these addresses.
const HOSTS: u64 = 200;
/// Probes per second: a job with two ports takes four seconds.
const RATE: u64 = 100;

fn settings(folder: &Path, servers: &Servers, receiver: &Receiver, ports: [u16; 2]) -> String {
    let mut text = String::new();
    let (broker, store, url) = (servers.broker(), servers.store(), receiver.url());
    let [first, second] = ports;
    let last = HOSTS - 1;
    writeln!(
        text,
        "[runtime]\nlisten = '127.0.0.1:0'\n[broker]\nurl = '{broker}'\n[store]\nurl = '{store}'\n\
         [notifier]\nallow = '127.0.0.0/8'\n[notifier.webhook]\nurl = '{url}'\nsecret = '{SECRET}'\n\
         [scanner]\ngrace = '0s'\n\
         [[scheduler.targets]]\nname = 'here'\naddresses = ['127.0.0.1', '127.93.7.1-127.93.7.{last}']\n\
         ports = '{first},{second}'\ninterval = '6s'\nrate = {RATE}"
    )
    .unwrap();
    let path = folder.join("portwatch.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn start(role: &str, config: &str) -> Portwatch {
    Portwatch::start(&[role, "--config", config], &[])
}

/// What a worker's metrics say of one name.
async fn metric(address: &str, name: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = "GET /metrics HTTP/1.0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let prefix = format!("{name} ");
    let line = answer.lines().find(|line| line.starts_with(&prefix))?;
    line.split(' ').nth(1)?.parse().ok()
}

/// Waits until a worker has begun a job that it has taken after this was called, and is far from its end.
async fn in_mid_job(address: &str) {
    let running = || metric(address, "portwatch_scanner_jobs_running");
    until("the worker to be without a job", || async {
        (running().await? < 0.5).then_some(())
    })
    .await;
    let sent = metric(address, "portwatch_scan_probes_total").await;
    let sent = sent.unwrap();
    until("the worker to be in mid-job", || async {
        let more = metric(address, "portwatch_scan_probes_total").await? - sent;
        (running().await? > 0.5 && (20.0..300.0).contains(&more)).then_some(())
    })
    .await;
}

/// Waits until this many more runs were applied.
async fn applied(servers: &Servers, more: u64) {
    let runs = "SELECT count(*) FROM inbox";
    let count = || servers.query(runs).trim().parse::<u64>().unwrap();
    let parts = HOSTS.div_ceil(32);
    let wanted = count() + more * parts;
    until("more snapshots to be applied", || async {
        (count() >= wanted).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn a_job_whose_worker_goes_away_is_done_by_another_and_told_once() {
    let servers = Servers::make();
    let folder = TempDir::new().unwrap();
    let mut receiver = Receiver::start().await;
    let (known, port) = (Listener::start(free_port()).await, free_port());
    let ports = [known.port(), port];
    let config = settings(folder.path(), &servers, &receiver, ports);
    let migrated = Portwatch::output(&["migrate", "--config", &config], &[]).await;
    assert!(migrated.status.success());
    let others = ["scheduler", "differ", "notifier"].map(|role| start(role, &config));

    let first = start("scanner", &config);
    let address = first.address().await;
    applied(&servers, 1).await;
    let heartbeat = "portwatch_scanner_heartbeat_timestamp_seconds";
    let beat = metric(&address, heartbeat).await.unwrap();
    until("the next heartbeat", || async {
        (metric(&address, heartbeat).await? > beat).then_some(())
    })
    .await;

    // A power cut in mid-job, while a port opens.
    let listener = Listener::start(port).await;
    in_mid_job(&address).await;
    first.kill().await;
    let second = start("scanner", &config);
    let address = second.address().await;
    let opened = receiver.expect("port.opened", port).await;
    applied(&servers, 1).await;

    // An orderly stop in mid-job, while it closes; somebody else is there already.
    let third = start("scanner", &config);
    third.address().await;
    in_mid_job(&address).await;
    listener.stop().await;
    let (code, printed) = second.stop().await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("handing back"), "{printed}");
    let closed = receiver.expect("port.closed", port).await;
    assert_ne!(opened["change_id"], closed["change_id"]);

    applied(&servers, 2).await;
    let rest = receiver.rest(Duration::from_millis(500)).await;
    assert_eq!(rest, Vec::<Value>::new(), "each was told once");
    let unfinished = servers.query("SELECT count(*) FROM jobs WHERE run < (SELECT max(run) - 1 FROM jobs) AND finished_at IS NULL");
    assert_eq!(unfinished.trim(), "0", "no job was lost");
    for process in others.into_iter().chain([third]) {
        let (code, printed) = process.stop().await;
        assert_eq!(code, Some(0), "{printed}");
    }
    known.stop().await;
}
