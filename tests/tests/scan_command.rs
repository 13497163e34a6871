//! `portwatch scan`: targets from lists, each output format, and what Ctrl-C leaves.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::process::{Output, Stdio};

use portwatch_tests::{Listener, PATIENCE, Portwatch, free_port};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

/// Runs it to its end with this on its standard input.
async fn portwatch(arguments: &[&str], input: &str) -> Output {
    let mut child = Portwatch::command(arguments, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end without reading it all.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("portwatch did not end")
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn addresses(array: &[u8]) -> Vec<String> {
    let records: Vec<Value> = serde_json::from_slice(array).unwrap();
    let ip = |record: &Value| record["ip"].as_str().unwrap().to_owned();
    let mut addresses: Vec<String> = records.iter().map(ip).collect();
    addresses.sort();
    addresses
}

#[tokio::test]
async fn targets_come_from_standard_input_and_files() {
    let listener = Listener::start(free_port()).await;
    let port = listener.port().to_string();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("targets");
    std::fs::write(&file, "# a file\r\n127.0.0.1\r\n").unwrap();
    let file = file.to_str().unwrap();
    let rest = ["--ports", &port, "--format", "masscan-json"];

    let listed = portwatch(
        &[&["scan", "-"], &rest[..]].concat(),
        "127.0.0.1 # here\n\n",
    )
    .await;
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    assert_eq!(addresses(&listed.stdout), ["127.0.0.1"]);
    assert_eq!(text(&listed.stderr), "", "nothing on what is no terminal");

    let filed = portwatch(&[&["scan", "--input", file], &rest[..]].concat(), "").await;
    assert_eq!(filed.status.code(), Some(0), "{}", text(&filed.stderr));
    assert_eq!(addresses(&filed.stdout), ["127.0.0.1"]);
    listener.stop().await;
}

#[tokio::test]
async fn one_bad_line_and_nothing_is_scanned() {
    let mistyped = "127.0.0.1\n127.0.0.999\n127.0.0.2\n";
    let bad_line = "standard input, line 2: \"127.0.0.999\"";
    for (arguments, input, expected) in [
        (vec!["scan", "-"], mistyped, bad_line),
        (vec!["scan", "-", "-"], "127.0.0.1", "named twice"),
        (vec!["scan", "--input", "/nonexistent"], "", "/nonexistent"),
    ] {
        let output = portwatch(&arguments, input).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert_eq!(text(&output.stdout), "");
    }
    let empty = portwatch(&["scan", "-"], "# none\n").await;
    assert_eq!(empty.status.code(), Some(2));
    assert!(text(&empty.stderr).contains("standard input names no target"));
}

#[tokio::test]
async fn rates_and_retries_are_numbers_or_auto() {
    let port = free_port().to_string();
    let scan = ["scan", "127.0.0.1", "--ports", &port];
    let right = [&scan[..], &["--rate", "auto", "--retries", "auto"]].concat();
    let output = portwatch(&right, "").await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for wrong in [["--rate", "0"], ["--rate", "much"], ["--retries", "11"]] {
        let output = portwatch(&[&scan[..], &wrong].concat(), "").await;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        let told = text(&output.stderr);
        assert!(told.contains(wrong[0]) && told.contains(wrong[1]), "{told}");
    }
}

/// Starts a scan that takes for ever, signals it in mid-scan, and returns what it printed.
async fn interrupted(format: &str, signals: u32) -> (Option<i32>, String) {
    let arguments = [
        "scan",
        "127.0.0.1",
        "--ports",
        "all",
        "--rate",
        "20",
        "--format",
        format,
    ];
    let log = ("PORTWATCH__RUNTIME__LOG", "portwatch=debug".to_owned());
    let mut child = Portwatch::command(&arguments, &[log])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = log.next_line().await.unwrap() {
        if line.contains("scanning") {
            break;
        }
    }
    let pid = child.id().unwrap().to_string();
    for _ in 0..signals {
        let sent = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(sent.unwrap().success() || signals > 1);
    }
    let mut printed = String::new();
    let mut out = child.stdout.take().unwrap();
    let all = async {
        out.read_to_string(&mut printed).await.unwrap();
        child.wait().await.unwrap().code()
    };
    let code = tokio::time::timeout(PATIENCE, all)
        .await
        .expect("it did not stop");
    (code, printed)
}

#[tokio::test]
async fn ctrl_c_leaves_whole_output_in_every_format() {
    let (code, table) = interrupted("table", 1).await;
    assert_eq!(code, Some(130));
    assert!(
        table.lines().last().unwrap().starts_with("stopped early: "),
        "{table}"
    );

    let (code, lines) = interrupted("ndjson", 1).await;
    assert_eq!(code, Some(130));
    let summary: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(summary["complete"], false);
    let told = ["open", "closed", "filtered", "unknown"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!(
        told.iter().sum::<u64>(),
        65_535,
        "what has no verdict is unknown"
    );

    let (code, array) = interrupted("masscan-json", 1).await;
    assert_eq!(code, Some(130));
    serde_json::from_str::<Vec<Value>>(&array).unwrap();

    let (code, xml) = interrupted("nmap-xml", 1).await;
    assert_eq!(code, Some(130));
    assert!(
        xml.contains("exit=\"error\" errormsg=\"stopped early"),
        "{xml}"
    );
    assert!(xml.ends_with("</nmaprun>\n"), "{xml}");
}

#[tokio::test]
async fn a_second_ctrl_c_ends_it_at_once() {
    let (code, _) = interrupted("table", 2).await;
    assert_eq!(code, Some(130));
}

/// Answers every request with a page whose title would clear a terminal.
async fn serve_a_page() -> (u16, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // Whoever goes away early wants no page.
                let _ = stream.read(&mut [0; 1024]).await;
                let page = "HTTP/1.0 200 OK\r\nServer: tests/1.0\r\nContent-Type: text/html\r\n\r\n<title>here & \"\u{1b}[2J</title>";
                let _ = stream.write_all(page.as_bytes()).await;
            });
        }
    });
    (port, served)
}

#[tokio::test]
async fn open_ports_are_asked_what_they_are() {
    let (port, served) = serve_a_page().await;
    let number = port.to_string();
    let scan = [
        "scan",
        "127.0.0.1",
        "--ports",
        &number,
        "--service",
        "--format",
    ];

    let lines = portwatch(&[&scan[..], &["ndjson"]].concat(), "").await;
    assert_eq!(lines.status.code(), Some(0), "{}", text(&lines.stderr));
    let first: Value = serde_json::from_str(text(&lines.stdout).lines().next().unwrap()).unwrap();
    assert_eq!(first["service"]["name"], "http", "{first:#}");
    assert_eq!(first["service"]["http"]["server"], "tests/1.0", "{first:#}");

    for format in ["table", "nmap-xml", "masscan-json"] {
        let output = portwatch(&[&scan[..], &[format]].concat(), "").await;
        let printed = text(&output.stdout);
        assert!(printed.contains("http"), "{printed}");
        assert!(!printed.contains('\u{1b}'), "{format}: {printed:?}");
        if format == "masscan-json" {
            assert_eq!(addresses(&output.stdout).len(), 2, "{printed}");
        }
    }
    served.abort();
}
