//! The commands that say who is told of what, beside `portwatch up`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use portwatch_tests::{Listener, Portwatch, Receiver, SECRET, free_port, until};
use serde_json::Value;
use tempfile::TempDir;

/// Watches a port of this machine, with a rule and a window about ports that are never open.
async fn watched(folder: &TempDir, receiver: &Receiver) -> (Portwatch, u16, Vec<String>) {
    let port = free_port();
    let mut text = String::new();
    writeln!(
        text,
        "[runtime]\nlisten = '127.0.0.1:0'\n[notifier]\nallow = '127.0.0.0/8'\n[notifier.webhook]\nurl = '{}'\nsecret = '{SECRET}'\n\
         [[notifier.routes]]\nname = 'high ports'\nmatch = {{ ports = '60000-65535', kinds = ['port.closed'] }}\n\
         [[notifier.maintenance]]\nname = 'always'\nmatch.ports = '1'\nwindows = ['Mon-Sun 00:00-24:00']",
        receiver.url()
    )
    .unwrap();
    let config = folder.path().join("portwatch.toml");
    std::fs::write(&config, text).unwrap();
    let state = ["--data-dir", "--config"].map(str::to_owned);
    let places = [folder.path().join("data"), config];
    let state: Vec<String> = state
        .into_iter()
        .zip(places)
        .flat_map(|(flag, place)| [flag, place.to_str().unwrap().to_owned()])
        .collect();
    let ports = format!("1,{port}");
    let mut arguments = vec!["up", "127.0.0.1", "--ports", &ports, "--interval", "1s"];
    arguments.extend(state.iter().map(String::as_str));
    let up = Portwatch::start(&arguments, &[]);
    up.line("baseline").await;
    (up, port, state)
}

async fn run(state: &[String], arguments: &[&str]) -> (i32, String, String) {
    let arguments: Vec<&str> = arguments
        .iter()
        .copied()
        .chain(state.iter().map(String::as_str))
        .collect();
    let output = Portwatch::output(&arguments, &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// What was changed, the oldest first.
async fn actions(state: &[String]) -> Vec<String> {
    let (_, out, _) = run(state, &["audit", "--format", "ndjson"]).await;
    let action = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["action"].as_str().unwrap().to_owned()
    };
    out.lines().map(action).collect()
}

async fn route(state: &[String], kind: &str, port: u16) -> (i32, Value) {
    let port = port.to_string();
    let asked = ["route", kind, "--target", "127.0.0.1", "--port", &port];
    let asked: Vec<&str> = asked
        .iter()
        .copied()
        .chain(["--format", "ndjson"])
        .collect();
    let (code, out, err) = run(state, &asked).await;
    let answer = serde_json::from_str(&out);
    (code, answer.unwrap_or_else(|_| panic!("{out}{err}")))
}

#[tokio::test]
async fn who_is_told_and_why_not() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::start().await);
    let (up, port, state) = watched(&folder, &receiver).await;
    let (code, answer) = route(&state, "port.opened", port).await;
    assert_eq!(
        (code, &answer["told"][0]["channel"]),
        (0, &"webhook".into())
    );
    assert_eq!(answer["routes"][0]["misfit"], "kind");
    let (code, answer) = route(&state, "port.closed", 65_000).await;
    assert_eq!((code, &answer["routes"][0]["fits"]), (1, &true.into()));
    let (code, answer) = route(&state, "port.opened", 1).await;
    assert_eq!(code, 1);
    assert_eq!(answer["quiet"], "in the maintenance window always");
    let (code, _, err) = run(
        &state,
        &["route", "zone.unattended", "--target", "127.0.0.1"],
    )
    .await;
    assert_eq!(code, 2);
    assert!(err.contains("give --zone"), "{err}");
    up.stop().await;
}

#[tokio::test]
async fn what_is_silenced_is_not_told_until_the_silence_ends() {
    let (folder, mut receiver) = (TempDir::new().unwrap(), Receiver::start().await);
    let (up, port, state) = watched(&folder, &receiver).await;
    let ports = port.to_string();
    let add = ["silence", "add", "--until", "1h", "--reason", "planned"];
    let add: Vec<&str> = add.iter().copied().chain(["--ports", &ports]).collect();
    let (code, _, err) = run(&state, &add).await;
    assert_eq!(code, 0, "{err}");
    let listener = Listener::start(port).await;
    up.line("opened").await;
    let (_, answer) = route(&state, "port.closed", port).await;
    assert!(answer["quiet"].as_str().unwrap().contains("planned"));
    let (_, listed, _) = run(&state, &["silence", "list"]).await;
    let id = listed.lines().nth(1).unwrap().get(..8).unwrap().to_owned();
    let (code, _, err) = run(&state, &["silence", "end", &id]).await;
    assert_eq!(code, 0, "{err}");
    let on_record = actions(&state).await;
    assert_eq!(on_record, ["silence.add", "silence.end"]);
    until("the silence to be over", || async {
        (route(&state, "port.closed", port).await.0 == 0).then_some(())
    })
    .await;
    // The notifier looks at the silences again after some seconds.
    let scans = || up.lines_with("scan of").len();
    let before = scans();
    until("some scans", || async {
        (scans() >= before + 4).then_some(())
    })
    .await;
    listener.stop().await;
    let change = receiver.change().await;
    assert_eq!(change["kind"], "port.closed", "the first that is told");
    up.stop().await;
}

#[tokio::test]
async fn a_problem_is_listed_and_acknowledged_until_it_ends() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::start().await);
    let (up, port, state) = watched(&folder, &receiver).await;
    let (code, out, _) = run(&state, &["problems"]).await;
    assert_eq!((code, out.trim()), (0, "no problems"));
    // From here on, nothing should be open.
    let (code, _, err) = run(&state, &["approve", "127.0.0.1"]).await;
    assert_eq!(code, 0, "{err}");
    let listener = Listener::start(port).await;
    let id = until("a problem", || async {
        let (code, out, _) = run(&state, &["problems", "--format", "ndjson"]).await;
        let problem: Value = serde_json::from_str(&out).ok()?;
        assert_eq!((code, &problem["kind"]), (1, &"port.opened".into()));
        Some(problem["id"].as_str().unwrap().to_owned())
    })
    .await;
    let ack = ["ack", &id[..10], "--reason", "mine", "--by", "eve"];
    let (code, _, err) = run(&state, &ack).await;
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = run(&state, &ack).await;
    assert_eq!(code, 2, "{err}");
    let (code, out, _) = run(&state, &["problems"]).await;
    assert!(code == 0 && out.contains("eve: mine"), "{out}");
    let on_record = actions(&state).await;
    assert_eq!(on_record, ["ports.approve", "problem.ack"]);
    listener.stop().await;
    until("the end of it", || async {
        let (_, out, _) = run(&state, &["problems"]).await;
        (out.trim() == "no problems").then_some(())
    })
    .await;
    up.stop().await;
}

#[tokio::test]
async fn mistakes_are_named() {
    let none: [String; 0] = [];
    for (arguments, says) in [
        (
            &["silence", "add", "--until", "1h", "--reason", "x"][..],
            "say what it is about",
        ),
        (
            &[
                "silence", "add", "--until", "1h", "--reason", "x", "--ports", "99999",
            ],
            "ports",
        ),
        (
            &["silence", "add", "--until", "x", "--reason", "x", "--all"],
            "write it as 30m",
        ),
        (
            &["route", "port.opend", "--target", "x"],
            "unknown kind of change",
        ),
    ] {
        let (code, _, err) = run(&none, arguments).await;
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says), "{err}");
    }
}
