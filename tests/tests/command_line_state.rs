//! The commands by which an operator sees and steers what is watched: beside `portwatch up`, and beside services.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::{Listener, Portwatch, Receiver, SECRET, Servers, free_port, until};
use serde_json::Value;
use tempfile::TempDir;

/// Runs a command where state is; gives its exit code and what it printed on both streams.
async fn run(state: &[&str], arguments: &[&str]) -> (i32, String, String) {
    let arguments: Vec<&str> = arguments.iter().chain(state).copied().collect();
    let output = Portwatch::output(&arguments, &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// The objects that a command prints as ndjson.
async fn objects(state: &[&str], arguments: &[&str]) -> Vec<Value> {
    let with_format: Vec<&str> = arguments
        .iter()
        .chain(&["--format", "ndjson"])
        .copied()
        .collect();
    let (code, out, err) = run(state, &with_format).await;
    assert!(code <= 1, "{arguments:?}: {err}");
    let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// Waits until `check` ends with this code.
async fn checked(state: &[&str], wanted: i32) -> String {
    until("another exit code of check", || async {
        let (code, out, _) = run(state, &["check"]).await;
        (code == wanted).then_some(out)
    })
    .await
}

/// One life of a target that is scanned each second, of which `open` is open at first and `new` is free.
async fn a_life(state: &[&str], target: &str, open: Listener, new: u16) {
    // It is unknown whether all is well before the first scan, and after it until somebody says what may be open.
    until("check to ask for an approval", || async {
        let (code, out, _) = run(state, &["check"]).await;
        assert_eq!(code, 3, "{out}");
        out.contains("portwatch approve").then_some(())
    })
    .await;
    let (_, table, _) = run(state, &["targets"]).await;
    assert!(
        table.contains("every 1s") && table.contains(target),
        "{table}"
    );

    let (code, approved, err) = run(state, &["approve", target]).await;
    assert_eq!(code, 0, "{err}");
    assert!(approved.contains(&open.port().to_string()), "{approved}");
    checked(state, 0).await;
    let first = objects(state, &["scans", target]).await;
    let first = first.last().unwrap()["scan"].to_string();

    let listener = Listener::start(new).await;
    let (code, out, err) = run(state, &["scan-now", target, "--wait"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("1 of 1 job done"), "{err}");
    let unexpected = format!("unexpected open {new}");
    let critical = checked(state, 2).await;
    assert!(critical.contains(&unexpected), "{critical}");
    let found = objects(state, &["ports", target, "--unexpected"]).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["port"], new);
    assert_eq!(found[0]["expected"], false);

    // The scan that was asked for is of no schedule; what is compared with is the next that is.
    let diff = ["diff", target, &first];
    until("a later scan that differs", || async {
        (run(state, &diff).await.0 == 1).then_some(())
    })
    .await;
    let differences = objects(state, &diff).await;
    assert_eq!(differences[0]["difference"], "new");
    assert_eq!(differences[0]["port"], new);
    let now = objects(state, &["scans", target, "--limit", "1000"]).await;
    assert!(now.iter().any(|scan| scan["kind"] == "now"), "{now:#?}");

    other_ports_are_approved(state, target, open, listener).await;

    let port = new.to_string();
    let history = objects(
        state,
        &["history", target, "--port", &port, "--since", "1h"],
    )
    .await;
    let kinds: Vec<&Value> = history.iter().map(|change| &change["kind"]).collect();
    assert_eq!(kinds, ["port.opened", "port.closed"], "{history:#?}");
    let (code, withdrawn, _) = run(state, &["approve", target, "--clear"]).await;
    assert!(code == 0 && withdrawn.contains("taken back"), "{withdrawn}");
}

/// `new` is approved instead of `open`; then both are closed.
async fn other_ports_are_approved(
    state: &[&str],
    target: &str,
    open: Listener,
    listener: Listener,
) {
    let new = listener.port();
    let (code, _, err) = run(state, &["approve", target, "--ports", &new.to_string()]).await;
    assert_eq!(code, 0, "{err}");
    let (code, warning, _) = run(state, &["check", target]).await;
    let unwanted = format!("unexpected open {}", open.port());
    assert!(code == 2 && warning.contains(&unwanted), "{warning}");
    open.stop().await;
    checked(state, 0).await;
    listener.stop().await;
    let closed = checked(state, 1).await;
    assert!(
        closed.contains(&format!("expected but closed {new}")),
        "{closed}"
    );
    let missing = objects(state, &["ports", "--missing"]).await;
    assert_eq!(missing[0]["port"], new);
}

#[tokio::test]
async fn beside_up() {
    let data = TempDir::new().unwrap();
    let folder = data.path().to_str().unwrap();
    let (open, new) = (Listener::start(free_port()).await, free_port());
    let ports = format!("{},{new}", open.port());
    let mut arguments = vec!["up", "127.0.0.1", "--ports", &ports, "--interval", "1s"];
    arguments.extend(["--data-dir", folder, "--listen", "127.0.0.1:0"]);
    let portwatch = Portwatch::start(&arguments, &[]);
    portwatch.line(": baseline:").await;

    let state = ["--data-dir", folder];
    a_life(&state, "127.0.0.1", open, new).await;

    let (code, printed) = portwatch.stop().await;
    assert_eq!(code, Some(0), "{printed}");
    // The file is read also without it, and that nobody scans any more is found.
    let overdue = checked(&state, 1).await;
    assert!(overdue.contains("127.0.0.1 is overdue"), "{overdue}");
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn beside_services() {
    let folder = TempDir::new().unwrap();
    let servers = Servers::make();
    let receiver = Receiver::start().await;
    let (open, new) = (Listener::start(free_port()).await, free_port());
    let (broker, store, url) = (servers.broker(), servers.store(), receiver.url());
    let text = format!(
        "[runtime]\nlisten = '127.0.0.1:0'\n[broker]\nurl = '{broker}'\n[store]\nurl = '{store}'\n\
         [notifier]\nallow = '127.0.0.0/8'\n[notifier.webhook]\nurl = '{url}'\nsecret = '{SECRET}'\n[[scheduler.targets]]\nname = 'here'\n\
         addresses = ['127.0.0.1']\nports = '{},{new}'\ninterval = '1s'\n",
        open.port()
    );
    let path = folder.path().join("portwatch.toml");
    std::fs::write(&path, text).unwrap();
    let state = ["--config", path.to_str().unwrap()];
    let (code, _, err) = run(&state, &["migrate"]).await;
    assert_eq!(code, 0, "{err}");
    let roles = ["scheduler", "scanner", "differ"];
    let services = roles.map(|role| Portwatch::start(&[role, state[0], state[1]], &[]));
    a_life(&state, "here", open, new).await;
    for service in services {
        let (code, printed) = service.stop().await;
        assert_eq!(code, Some(0), "{printed}");
    }
}

#[tokio::test]
async fn mistakes_are_named() {
    let empty = TempDir::new().unwrap();
    let folder = empty.path().to_str().unwrap();
    for command in ["targets", "ports", "history"] {
        let (code, _, err) = run(&["--data-dir", folder], &[command]).await;
        assert_eq!(code, 2, "{command}: {err}");
        assert!(err.contains("nothing is kept in"), "{command}: {err}");
        let output = Portwatch::output(&[command], &[("HOME", folder.to_owned())]).await;
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {err}");
        assert!(err.contains("store.url is not set"), "{command}: {err}");
    }
    // A monitoring system must not read *critical* where nothing is known.
    let (code, out, _) = run(&["--data-dir", folder], &["check"]).await;
    assert_eq!(code, 3, "{out}");
    assert!(out.starts_with("PORTWATCH UNKNOWN - "), "{out}");

    let data = TempDir::new().unwrap();
    let folder = data.path().to_str().unwrap();
    let mut arguments = vec!["up", "127.0.0.1", "--ports", "9", "--interval", "1h"];
    arguments.extend(["--data-dir", folder, "--listen", "127.0.0.1:0"]);
    let portwatch = Portwatch::start(&arguments, &[]);
    portwatch.line(": baseline:").await;
    for (arguments, named) in [
        (vec!["ports", "nope"], "there are 127.0.0.1"),
        (vec!["diff", "127.0.0.1"], "not been scanned twice"),
        (vec!["diff", "127.0.0.1", "7", "9"], "no scan 7"),
        (
            vec!["approve", "127.0.0.1", "--host", "127.0.0.9"],
            "knows no host 127.0.0.9",
        ),
        (
            vec!["scan-now", "127.0.0.1", "--host", "127.0.0.9"],
            "is no host of",
        ),
        (
            vec!["scan-now", "127.0.0.1", "--ports", "99"],
            "does not watch 99",
        ),
        (vec!["history", "--kind", "port.ajar"], "port.ajar"),
        (vec!["history", "--since", "yesterday"], "7d"),
    ] {
        let (code, out, err) = run(&["--data-dir", folder], &arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {out}{err}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
    portwatch.stop().await;
}
