//! A scheduler that reads Roxy-WI again and again: in one process, and as two beside each other.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use portwatch_tests::roxy_wi::{PASSWORD, RoxyWi, Server};
use portwatch_tests::{Listener, Portwatch, Receiver, SECRET, Servers, free_port, until};
use serde_json::Value;
use tempfile::TempDir;

async fn run(state: &[&str], arguments: &[&str]) -> String {
    let arguments: Vec<&str> = arguments.iter().chain(state).copied().collect();
    let output = Portwatch::output(&arguments, &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(output.stderr)
    );
    text(output.stdout)
}

async fn objects(state: &[&str], arguments: &[&str]) -> Vec<Value> {
    let with_format: Vec<&str> = arguments
        .iter()
        .chain(&["--format", "ndjson"])
        .copied()
        .collect();
    let out = run(state, &with_format).await;
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits until a target of this name is as `is` says; gives it.
async fn target(state: &[&str], name: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(&format!("another {name}"), || async {
        let targets = objects(state, &["targets"]).await;
        targets
            .into_iter()
            .find(|target| target["target"] == name && is(target))
    })
    .await
}

/// What is answered at this path of the health address.
async fn asked(up: &Portwatch, path: &str) -> String {
    let line = up.line("health and metrics: ").await;
    let address = line.split("health and metrics: ").nth(1).unwrap();
    run(&[], &["healthcheck", "--url", &format!("{address}{path}")]).await
}

fn write(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("portwatch.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn up(config: &str, data: &str) -> Portwatch {
    let arguments = [
        "up",
        "--config",
        config,
        "--data-dir",
        data,
        "--listen",
        "127.0.0.1:0",
    ];
    Portwatch::start(
        &arguments,
        &[("PORTWATCH__RUNTIME__LOG", "info".to_owned())],
    )
}

#[tokio::test]
async fn its_switches_drive_what_is_scanned_and_told() {
    let (folder, roxy_wi, mut receiver) = (
        TempDir::new().unwrap(),
        RoxyWi::start().await,
        Receiver::start().await,
    );
    roxy_wi.world().servers = vec![Server::new(1, "'lb 1'", "127.0.0.1")];
    let port = free_port();
    let (section, url) = (roxy_wi.settings("every = '1s'"), receiver.url());
    let text = format!(
        "{section}\n[[scheduler.groups]]\nname = 'lab-east'\nports = '{port}'\ninterval = '1s'\nconfirm_close = 1\n\
         [notifier]\nallow = '127.0.0.0/8'\n[notifier.webhook]\nurl = '{url}'\nsecret = '{SECRET}'\n"
    );
    let (config, data) = (write(&folder, &text), folder.path().join("data"));
    let data = data.to_str().unwrap();
    let state = ["--data-dir", data];
    let up = up(&config, data);
    up.line(": baseline:").await;

    let listener = Listener::start(port).await;
    let opened = receiver.expect("port.opened", port).await;
    assert_eq!(opened["target"], "lb 1", "{opened:#}");

    // Nobody is told, and history goes on.
    roxy_wi.world().server(1).switches = Some([true, false, true]);
    target(&state, "lb 1", |target| target["notify"] == false).await;
    listener.stop().await;
    until("the closing in the history", || async {
        let closed = ["history", "lb 1", "--kind", "port.closed"];
        (objects(&state, &closed).await.len() == 1).then_some(())
    })
    .await;

    // Told again, and history does not.
    roxy_wi.world().server(1).switches = Some([true, true, false]);
    target(&state, "lb 1", |target| target["history"] == false).await;
    let listener = Listener::start(port).await;
    receiver.expect("port.opened", port).await;
    assert_eq!(
        objects(&state, &["history", "lb 1", "--kind", "port.opened"])
            .await
            .len(),
        1
    );

    // Not scanned at all: the number of its runs stands still.
    roxy_wi.world().server(1).switches = Some([false, true, true]);
    let off = target(&state, "lb 1", |target| target["enabled"] == false).await;
    listener.stop().await;
    assert!(receiver.rest(Duration::from_secs(3)).await.is_empty());
    let still = target(&state, "lb 1", |_| true).await;
    assert_eq!(still["run"], off["run"]);
    roxy_wi.world().server(1).switches = Some([true; 3]);
    receiver.expect("port.closed", port).await;
    up.stop().await;

    // Without the section nothing of it is watched.
    let plain = text.replace(
        &section,
        "[[scheduler.targets]]\nname = 'own'\naddresses = '127.0.0.1'\nports = '9'\n",
    );
    let up = self::up(&write(&folder, &plain), data);
    up.line(": baseline:").await;
    until("only its own target", || async {
        let targets = objects(&state, &["targets"]).await;
        (targets.len() == 1 && targets[0]["target"] == "own").then_some(())
    })
    .await;
    up.stop().await;
}

#[tokio::test]
async fn a_failure_is_told_once_and_a_new_login_is_made_once() {
    let (folder, roxy_wi) = (TempDir::new().unwrap(), RoxyWi::start().await);
    roxy_wi.world().servers = vec![Server {
        switches: None,
        ..Server::new(1, "lb-1", "127.0.0.1")
    }];
    let (config, data) = (
        write(&folder, &roxy_wi.settings("every = '1s'")),
        folder.path().join("data"),
    );
    let data = data.to_str().unwrap();
    let up = up(&config, data);
    up.line("health and metrics: ").await;
    target(&["--data-dir", data], "lb-1", |_| true).await;
    let rounds = async |number: usize| {
        let wanted = roxy_wi.world().count("GET /api/servers") + 2 * number;
        until("more rounds", || async {
            (roxy_wi.world().count("GET /api/servers") >= wanted).then_some(())
        })
        .await;
    };
    rounds(2).await;
    assert_eq!(
        roxy_wi.world().count("POST /api/login"),
        2,
        "one token for each user, as long as it counts"
    );
    roxy_wi.world().expire_tokens();
    rounds(2).await;
    assert_eq!(
        roxy_wi.world().count("POST /api/login"),
        4,
        "one more for each"
    );
    let ready = asked(&up, "/readyz").await;
    assert!(
        ready.contains("\"roxy-wi\":\"1 targets, read at "),
        "{ready}"
    );

    let broken = (500, "text/html", "<html>down</html>".to_owned());
    roxy_wi
        .world()
        .broken
        .insert("/api/servers".to_owned(), broken);
    let told = up.line("no sync with Roxy-WI").await;
    assert!(
        told.contains("GET /api/servers as") && told.contains("500"),
        "{told}"
    );
    // The first user fails, so the second is not asked: each is a round.
    rounds(2).await;
    assert_eq!(
        up.lines_with("Roxy-WI")
            .iter()
            .filter(|line| line.contains("ERROR"))
            .count(),
        1
    );
    let ready = asked(&up, "/readyz").await;
    assert!(
        ready.contains("\"status\":\"ok\"") && ready.contains("failing since"),
        "{ready}"
    );
    let metrics = asked(&up, "/metrics").await;
    assert!(metrics.contains("portwatch_roxy_wi_failing 1"), "{metrics}");
    assert!(
        metrics.contains("portwatch_roxy_wi_sync_total{result=\"failed\"}"),
        "{metrics}"
    );
    assert_eq!(
        target(&["--data-dir", data], "lb-1", |_| true).await["enabled"],
        false
    );

    roxy_wi.world().broken.clear();
    up.line("Roxy-WI can be read again").await;
    let (code, printed) = up.stop().await;
    assert_eq!(code, Some(0), "{printed}");
    for secret in [PASSWORD, "secret-token"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn two_schedulers_and_targets_of_two_sources() {
    let (folder, roxy_wi, servers) = (
        TempDir::new().unwrap(),
        RoxyWi::start().await,
        Servers::make(),
    );
    roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server {
            group: 1,
            ..Server::new(2, "other", "127.0.0.3")
        },
    ];
    roxy_wi
        .world()
        .settings
        .insert("portscanner_keep_history_range".to_owned(), "30".to_owned());
    let (broker, store, section) = (
        servers.broker(),
        servers.store(),
        roxy_wi.settings("every = '1s'\nwrite_back = true"),
    );
    let text = format!(
        "[runtime]\nlisten = '127.0.0.1:0'\n[broker]\nurl = '{broker}'\n[store]\nurl = '{store}'\n{section}\n\
         [[scheduler.groups]]\nname = 'office'\nkeep_history = '48h'\n\
         [[scheduler.targets]]\nname = 'own'\naddresses = ['127.0.0.4']\nports = '9'\n"
    );
    let config = write(&folder, &text);
    let state = ["--config", config.as_str()];
    run(&state, &["migrate"]).await;
    let start = || [0, 1].map(|_| Portwatch::start(&["scheduler", "--config", &config], &[]));
    let schedulers = start();
    let names = async || {
        let targets = objects(&state, &["targets"]).await;
        let names = targets
            .iter()
            .map(|target| target["target"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let become_ = async |wanted: &[&str]| {
        until(&format!("{wanted:?}"), || async {
            (names().await == wanted).then_some(())
        })
        .await;
    };
    become_(&["lb-1", "other", "own"]).await;
    let keep = "SELECT name, keep_history_us / 86400000000 FROM groups ORDER BY name";
    assert_eq!(
        servers.query(keep).trim(),
        "Default|30\nlab-east|30\noffice|2"
    );
    let ids = "SELECT name, id FROM targets ORDER BY name";
    let before = servers.query(ids);

    // Both sync while switches are set from outside, and neither takes back what the other did.
    run(&state, &["targets", "set", "lb-1", "--notify", "off"]).await;
    assert_eq!(
        roxy_wi.world().server(1).switches,
        Some([true, false, true])
    );
    roxy_wi.world().servers.remove(1);
    become_(&["lb-1", "own"]).await;
    for scheduler in schedulers {
        let (code, printed) = scheduler.stop().await;
        assert_eq!(code, Some(0), "{printed}");
    }

    // Schedulers that start while Roxy-WI is away leave its targets, and how long their history is kept.
    let broken = (503, "text/html", String::new());
    roxy_wi
        .world()
        .broken
        .insert("/api/servers".to_owned(), broken);
    let schedulers = start();
    for scheduler in &schedulers {
        scheduler.line("no sync with Roxy-WI").await;
    }
    assert_eq!(names().await, ["lb-1", "own"]);
    assert_eq!(servers.query(keep).trim(), "lab-east|30\noffice|2");
    assert_eq!(
        servers.query(ids),
        before,
        "what is gone stays in the database"
    );
    target(&state, "lb-1", |target| target["notify"] == false).await;
    for scheduler in schedulers {
        scheduler.stop().await;
    }
}
