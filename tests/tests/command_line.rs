//! The command line: what it prints, what it refuses, and its exit codes.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Output;

use portwatch_tests::{Listener, Portwatch, free_port};
use serde_json::Value;

async fn portwatch(arguments: &[&str]) -> Output {
    Portwatch::output(arguments, &[]).await
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn every_command_has_help() {
    for command in [
        "up",
        "scan",
        "targets",
        "ports",
        "check",
        "history",
        "scans",
        "diff",
        "approve",
        "scan-now",
        "problems",
        "ack",
        "silence",
        "route",
        "scheduler",
        "scanner",
        "differ",
        "notifier",
        "migrate",
        "doctor",
        "dead",
        "healthcheck",
    ] {
        let help = portwatch(&[command, "--help"]).await;
        assert!(help.status.success());
        assert!(
            stdout(&help).lines().count() > 5,
            "{command}: {}",
            stdout(&help)
        );
    }
    let help = stdout(&portwatch(&["--help"]).await);
    assert!(help.contains("portwatch up 127.0.0.1"), "{help}");
}

#[tokio::test]
async fn a_scan_as_ndjson_has_a_line_per_open_port_one_per_host_and_a_summary() {
    let listener = Listener::start(free_port()).await;
    let closed = free_port();
    let ports = format!("{},{closed}", listener.port());
    let scan = portwatch(&["scan", "127.0.0.1", "--ports", &ports, "--format", "ndjson"]).await;
    assert_eq!(scan.status.code(), Some(0), "{}", stderr(&scan));
    let lines: Vec<Value> = stdout(&scan)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [port, host, summary] = lines.as_slice() else {
        panic!("{lines:#?}")
    };
    for (key, value) in [
        ("host", "127.0.0.1"),
        ("ip", "127.0.0.1"),
        ("protocol", "tcp"),
        ("state", "open"),
        ("reason", "syn-ack"),
    ] {
        assert_eq!(port[key], value, "{port:#}");
    }
    assert_eq!(port["port"], listener.port());
    assert!(
        port["timestamp"].is_string() && port.get("ttl").is_some(),
        "{port:#}"
    );
    assert_eq!(host["type"], "host");
    assert_eq!(host["state"], "up");
    assert_eq!(host["closed"], closed.to_string());
    assert_eq!(host["unknown"], "");
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["open"], 1);
    listener.stop().await;
}

#[tokio::test]
async fn a_scan_as_table_names_the_service() {
    let listener = Listener::start(free_port()).await;
    let port = listener.port().to_string();
    let scan = portwatch(&["scan", "127.0.0.1", "::1", "--ports", &port]).await;
    assert_eq!(scan.status.code(), Some(0), "{}", stderr(&scan));
    let printed = stdout(&scan);
    assert!(
        printed.contains("PORT") && printed.contains(&port) && printed.contains("open"),
        "{printed}"
    );
    listener.stop().await;
}

#[tokio::test]
async fn mistakes_are_named_with_exit_code_2() {
    let data = tempfile::TempDir::new().unwrap();
    let data = data.path().to_str().unwrap();
    for (arguments, expected) in [
        (vec!["scan", "127.0.0.1; reboot"], "is not a target"),
        (vec!["scan", "127.0.0.300"], "is not a target"),
        (
            vec!["scan", "127.0.0.1", "--ports", "80,http"],
            "\"http\" is not a port",
        ),
        (
            vec!["scan", "127.0.0.1", "--ports", "0"],
            "ports go from 1 to 65535",
        ),
        (vec!["scan", "127.0.0.0/8"], "16777216 addresses"),
        (vec!["scan"], "TARGET"),
        (vec!["up"], "nothing to watch"),
        (vec!["up", "127.0.0.1", "--interval", "soon"], "soon"),
        (
            vec![
                "up",
                "127.0.0.1",
                "--data-dir",
                data,
                "--webhook",
                "ftp://127.0.0.1/",
            ],
            "http://",
        ),
        (vec!["scheduler"], "broker.url is not set"),
        (
            vec!["scheduler", "--config", "/nonexistent.toml"],
            "/nonexistent.toml",
        ),
    ] {
        let output = portwatch(&arguments).await;
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stderr(&output)
        );
        let made = String::from_utf8_lossy(&output.stdout);
        assert!(!made.contains("whsec_"), "{arguments:?}: {made}");
        assert!(
            stderr(&output).contains(expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[tokio::test]
async fn an_unknown_setting_is_named_with_the_nearest_right_one() {
    let wrong = [("PORTWATCH__SCANNER__RAET", "5".to_owned())];
    let output = Portwatch::output(&["doctor"], &wrong).await;
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(
        told.contains("PORTWATCH__SCANNER__RAET") && told.contains("did you mean `scanner.rate`?"),
        "{told}"
    );
}

#[tokio::test]
async fn nothing_starts_with_a_template_that_is_wrong() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("portwatch.toml");
    let settings = r#"
        [[notifier.channels]]
        name = "night shift"
        kind = "mail"
        url = "smtp://portwatch:SECRET@mail.example.org"
        from = "portwatch@example.org"
        to = "night@example.org, ops@example.org"
        template = { title = "{{ subject }}", line = "{{ change.prot }}" }
    "#;
    std::fs::write(&file, settings).unwrap();
    let file = file.to_str().unwrap();
    let data = folder.path().to_str().unwrap();
    for arguments in [
        vec!["up", "127.0.0.1", "--data-dir", data, "--config", file],
        vec!["notifier", "--config", file],
        vec!["doctor", "--config", file],
    ] {
        let output = portwatch(&arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = stderr(&output);
        let expected = "notifier.channels.night shift.template.line: line 1: undefined value: `change.prot` is undefined (tried on a sample of port.opened)";
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert!(!told.contains("SECRET"), "{told}");
    }
}

#[tokio::test]
async fn doctor_looks_at_this_machine() {
    let output = portwatch(&["doctor", "127.0.0.1"]).await;
    let printed = stdout(&output);
    for word in ["raw sockets", "clock", "route to 127.0.0.1"] {
        assert!(printed.contains(word), "{printed}");
    }
}
