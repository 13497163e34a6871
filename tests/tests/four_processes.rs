//! The production shape: four processes over RabbitMQ and PostgreSQL, each killed in turn, and the
//! broker restarted. Alone in this file, because nothing else may use the broker meanwhile.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use portwatch_tests::{
    Listener, Portwatch, Receiver, SECRET, Servers, free_port, restart_broker, until,
};
use tempfile::TempDir;

const ROLES: [&str; 4] = ["scheduler", "scanner", "differ", "notifier"];

fn settings(folder: &Path, servers: &Servers, receiver: &Receiver, ports: &str) -> String {
    let mut text = String::new();
    let (broker, store, url) = (servers.broker(), servers.store(), receiver.url());
    writeln!(
        text,
        "[runtime]\nlisten = '127.0.0.1:0'\n[broker]\nurl = '{broker}'"
    )
    .unwrap();
    writeln!(
        text,
        "[store]\nurl = '{store}'\n[notifier]\nallow = '127.0.0.0/8'\n[notifier.webhook]\nurl = '{url}'"
    )
    .unwrap();
    writeln!(
        text,
        "secret = '{SECRET}'\n[[scheduler.targets]]\nname = 'here'"
    )
    .unwrap();
    writeln!(
        text,
        "addresses = ['127.0.0.1']\nports = '{ports}'\ninterval = '1s'"
    )
    .unwrap();
    let path = folder.join("portwatch.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn applied(servers: &Servers, more: u64) {
    let count = || {
        servers
            .query("SELECT count(*) FROM inbox")
            .trim()
            .parse::<u64>()
            .unwrap()
    };
    let wanted = count() + more;
    until("more snapshots to be applied", || async {
        (count() >= wanted).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn exactly_one_of_each_change_whatever_is_killed() {
    let servers = Servers::make();
    let folder = TempDir::new().unwrap();
    let mut receiver = Receiver::start().await;
    let (known, port) = (Listener::start(free_port()).await, free_port());
    let config = settings(
        folder.path(),
        &servers,
        &receiver,
        &format!("{},{port}", known.port()),
    );

    let migrated = Portwatch::output(&["migrate", "--config", &config], &[]).await;
    assert!(
        migrated.status.success(),
        "{}",
        String::from_utf8_lossy(&migrated.stderr)
    );
    let mut running: Vec<_> = ROLES.iter().map(|role| start(role, &config)).collect();
    applied(&servers, 1).await;
    let mut told = kill_each_in_turn(&mut running, &config, port, &mut receiver).await;

    tokio::task::spawn_blocking(restart_broker).await.unwrap();
    let listener = Listener::start(port).await;
    told.push(receiver.expect("port.opened", port).await);
    listener.stop().await;
    tokio::task::spawn_blocking(restart_broker).await.unwrap();
    told.push(receiver.expect("port.closed", port).await);

    applied(&servers, 3).await;
    assert_eq!(
        receiver.rest(Duration::from_millis(500)).await,
        Vec::<serde_json::Value>::new()
    );
    let ids: HashSet<_> = told
        .iter()
        .map(|change| change["change_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), told.len(), "every change has an id of its own");

    for process in running {
        let (code, printed) = process.stop().await;
        assert_eq!(code, Some(0), "{printed}");
    }
    known.stop().await;
}

fn start(role: &str, config: &str) -> Portwatch {
    Portwatch::start(&[role, "--config", config], &[])
}

/// Kills each of the four while the port opens, and each while it closes. Ends with it closed.
async fn kill_each_in_turn(
    running: &mut Vec<Portwatch>,
    config: &str,
    port: u16,
    receiver: &mut Receiver,
) -> Vec<serde_json::Value> {
    let mut told = Vec::new();
    let mut listener = None;
    for victim in [0, 1, 2, 3, 1, 0, 3, 2] {
        let began = Instant::now();
        running.remove(victim).kill().await;
        let kind = if let Some(open) = listener.take() {
            Listener::stop(open).await;
            "port.closed"
        } else {
            listener = Some(Listener::start(port).await);
            "port.opened"
        };
        running.insert(victim, start(ROLES[victim], config));
        told.push(receiver.expect(kind, port).await);
        let after = began.elapsed();
        eprintln!("{} killed: told once, after {after:?}", ROLES[victim]);
    }
    told
}
