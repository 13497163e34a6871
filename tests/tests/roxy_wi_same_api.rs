//! The same script, run against what answers as Roxy-WI was recorded and against the console: it sees no difference.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::Portwatch;
use portwatch_tests::console::Console;
use portwatch_tests::roxy_wi::{PASSWORD, RoxyWi, Server};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

async fn recorded() -> RoxyWi {
    let roxy_wi = RoxyWi::start().await;
    roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server::new(2, "lb-2", "127.0.0.3"),
        Server {
            group: 1,
            ..Server::new(4, "other-1", "127.0.0.5")
        },
    ];
    roxy_wi
}

/// What a script does, in this order.
fn script() -> Vec<(Method, &'static str, Option<Value>)> {
    let (one, two) = (
        "/api/server/portscanner/1",
        "/api/server/portscanner/127.0.0.3",
    );
    vec![
        (Method::GET, one, None),
        (Method::GET, two, None),
        (
            Method::POST,
            one,
            Some(json!({"enabled": 1, "notify": 0, "history": 1})),
        ),
        (Method::GET, one, None),
        (
            Method::POST,
            two,
            Some(json!({"enabled": false, "notify": true})),
        ),
        (Method::GET, "/api/server/portscanner/2", None),
        (Method::POST, one, Some(json!({}))),
        (Method::GET, one, None),
        (Method::POST, one, Some(json!({"enabled": "maybe"}))),
        (Method::PUT, one, Some(json!({"enabled": true}))),
        (Method::GET, "/api/server/portscanner/99", None),
        (Method::GET, "/api/server/portscanner/192.0.2.9", None),
        // Of another group.
        (Method::GET, "/api/server/portscanner/4", None),
        (
            Method::POST,
            "/api/server/portscanner/4",
            Some(json!({"enabled": true})),
        ),
        (Method::GET, one, None),
    ]
}

#[tokio::test]
async fn a_script_sees_no_difference() {
    let (there, behind) = (recorded().await, recorded().await);
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (config, data, password) = (path("portwatch.toml"), path("data"), path("password"));
    let text = behind.settings("write_back = true\nevery = '1s'");
    std::fs::write(&config, text).unwrap();
    std::fs::write(&password, PASSWORD).unwrap();
    let arguments = [
        "up",
        "--config",
        &config,
        "--data-dir",
        &data,
        "--listen",
        "127.0.0.1:0",
    ];
    let up = Portwatch::start(&arguments, &[]);
    let line = up.line("health and metrics: ").await;
    let base = line.split("health and metrics: ").nth(1).unwrap();
    up.line("scan of lb-2").await;
    let user = [
        "user",
        "add",
        "portwatch",
        "--role",
        "admin",
        "--group",
        "roxy-wi-2",
        "--group",
        "lab-east",
    ];
    let place = ["--password-file", &password, "--data-dir", &data];
    let added = Portwatch::output(&[&user[..], &place[..]].concat(), &[]).await;
    assert!(added.status.success());

    let theirs = Console::log_in(&there.url(), "portwatch", PASSWORD).await;
    let ours = Console::log_in(base, "portwatch", PASSWORD).await;
    for (step, (method, path, body)) in script().into_iter().enumerate() {
        let recorded = theirs.call(method.clone(), path, body.clone()).await;
        let (status, answer) = ours.call(method.clone(), path, body).await;
        let what = format!("step {step}: {method} {path}: {answer}");
        assert_eq!(status, recorded.0, "{what}");
        // Of errors people read the words; scripts read the status, and whether it is a list.
        assert_eq!(without_words(answer), without_words(recorded.1), "{what}");
    }

    // Each field that both have is of the same type, and ours are all among theirs.
    let (recorded, listed) = (
        theirs.get("/api/servers").await,
        ours.get("/api/servers").await,
    );
    let (recorded, listed) = (recorded.as_array().unwrap(), listed.as_array().unwrap());
    assert_eq!(recorded.len(), listed.len());
    for (theirs, ours) in recorded.iter().zip(listed) {
        for (field, value) in ours.as_object().unwrap() {
            if field == "port" {
                assert_eq!(*value, Value::Null, "the port of SSH is not known here");
                continue;
            }
            assert_eq!(value, &theirs[field], "{field}");
        }
    }
    up.stop().await;
}

fn without_words(mut answer: Value) -> Value {
    match &mut answer["error"] {
        Value::String(text) => text.clear(),
        Value::Array(texts) => texts.clear(),
        _ => return answer,
    }
    answer
}
