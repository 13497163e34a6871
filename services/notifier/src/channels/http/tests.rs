//! Each kind of channel against a real HTTP server that answers as its receiver does, or badly.

#![expect(clippy::unwrap_used, reason = "tests")]

mod faulty;
mod guarded;

use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response as Reply};
use futures_util::stream;
use jiff::SignedDuration;
use portwatch_domain::notification::retry::Failure;
use portwatch_runtime::settings::List;
use portwatch_schemas::{TraceParent, decode_content};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::channels::configured;
use crate::settings::{ChannelSettings, Settings};

/// What a receiver got: path and query, authorization, body.
type Got = (String, Option<String>, Value);

#[derive(Clone)]
struct Receiver {
    answer: fn(&Got) -> Reply,
    got: mpsc::UnboundedSender<Got>,
}

async fn receive(State(receiver): State<Receiver>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let authorization = parts.headers.get("authorization");
    let got = (
        parts.uri.to_string(),
        authorization.map(|value| value.to_str().unwrap().to_owned()),
        serde_json::from_slice(&body).unwrap(),
    );
    let answer = (receiver.answer)(&got);
    receiver.got.send(got).unwrap();
    answer
}

/// A server on this machine, and what it gets.
async fn receiver(answer: fn(&Got) -> Reply) -> (String, mpsc::UnboundedReceiver<Got>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (sender, got) = mpsc::unbounded_channel();
    let state = Receiver {
        answer,
        got: sender,
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(receive).with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, got)
}

fn settings(kind: &str, url: &str, token: &str, to: &str) -> ChannelSettings {
    ChannelSettings {
        name: "ops".to_owned(),
        kind: kind.to_owned(),
        url: url.to_owned().into(),
        token: token.to_owned().into(),
        to: to.to_owned(),
        ..ChannelSettings::default()
    }
}

fn made(channel: ChannelSettings) -> Result<Channel, String> {
    let settings = Settings {
        allow: List(vec!["127.0.0.1".parse().unwrap()]),
        channels: vec![channel],
        ..Settings::default()
    };
    let channels = configured(&settings).map_err(|error| error.to_string())?;
    Ok(channels.into_iter().next().unwrap())
}

fn message() -> Message {
    let file = "../../schemas/examples/notification.v1.several-ports-of-a-named-host.json";
    let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    Message {
        delivery: Uuid::from_u128(7),
        at: Timestamp::now(),
        trace: TraceParent::new(7, 7),
        content: decode_content(&body).unwrap().1,
    }
}

async fn send(channel: ChannelSettings) -> Result<Sent, Failed> {
    made(channel).unwrap().send(message()).await
}

#[tokio::test]
async fn every_kind_speaks_to_its_receiver() {
    let (url, mut got) = receiver(|(path, ..)| match path.as_str() {
        "/slack" => "ok".into_response(),
        "/slack-api" | "/bot1:A/sendMessage" => r#"{"ok":true}"#.into_response(),
        _ => StatusCode::ACCEPTED.into_response(),
    })
    .await;
    let bearer = Some("Bearer 1:A");
    for (kind, at, token, to, path, authorization, field) in [
        ("slack", "/slack", "", "", "/slack", None, "blocks"),
        (
            "slack",
            "/slack-api",
            "1:A",
            "C1",
            "/slack-api",
            bearer,
            "channel",
        ),
        (
            "telegram",
            "",
            "1:A",
            "-100",
            "/bot1:A/sendMessage",
            None,
            "chat_id",
        ),
        ("mattermost", "/m", "", "", "/m", None, "attachments"),
        ("teams", "/t", "", "", "/t", None, "attachments"),
        ("discord", "/d", "", "", "/d?wait=true", None, "embeds"),
        ("pagerduty", "/p", "1:A", "", "/p", None, "dedup_key"),
        ("ntfy", "/", "1:A", "ports", "/", bearer, "topic"),
        (
            "alertmanager",
            "/am/",
            "1:A",
            "",
            "/am/api/v2/alerts",
            bearer,
            "",
        ),
        ("googlechat", "/g", "", "", "/g", None, "cardsV2"),
    ] {
        let channel = settings(kind, &format!("{url}{at}"), token, to);
        send(channel).await.unwrap();
        let (was, by, body) = got.recv().await.unwrap();
        assert_eq!(
            (was.as_str(), by.as_deref()),
            (path, authorization),
            "{kind}"
        );
        assert!(
            body.get(field).is_some() || body.is_array(),
            "{kind}: {body}"
        );
        // PagerDuty gets one event for each change.
        while got.try_recv().is_ok() {}
    }
}

#[tokio::test]
async fn what_is_limited_waits_as_asked_and_what_is_refused_is_final() {
    let (url, _got) = receiver(|(path, ..)| {
        let status: u16 = path.trim_start_matches('/').parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("retry-after", "7")], "because\r\n\u{1b}[31m").into_response()
    })
    .await;
    for (status, failure) in [
        (
            429,
            Failure::Temporary {
                retry_after: Some(SignedDuration::from_secs(7)),
            },
        ),
        (
            503,
            Failure::Temporary {
                retry_after: Some(SignedDuration::from_secs(7)),
            },
        ),
        (400, Failure::Permanent),
        (404, Failure::Permanent),
        (410, Failure::Gone),
    ] {
        let failed = send(settings("mattermost", &format!("{url}/{status}"), "", ""))
            .await
            .unwrap_err();
        assert_eq!((failed.failure, failed.status), (failure, Some(status)));
        assert!(
            failed.error.ends_with(": because   [31m"),
            "{}",
            failed.error
        );
    }
}

#[tokio::test]
async fn matrix_is_sent_under_the_deliverys_id_and_says_how_long_to_wait() {
    let (url, mut got) = receiver(|_| {
        let body = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}"#;
        (StatusCode::TOO_MANY_REQUESTS, body).into_response()
    })
    .await;
    let failed = send(settings("matrix", &url, "1:A", "!a/b:x.org")).await;
    let (path, by, body) = got.recv().await.unwrap();
    let id = "00000000-0000-0000-0000-000000000007";
    let expected = format!("/_matrix/client/v3/rooms/!a%2Fb:x.org/send/m.room.message/{id}");
    assert_eq!((path, by.as_deref()), (expected, Some("Bearer 1:A")));
    assert_eq!(body["msgtype"], "m.text");
    let retry_after = Some(SignedDuration::from_millis(2500));
    let failure = Failure::Temporary { retry_after };
    assert_eq!(failed.unwrap_err().failure, failure);
    let alias = made(settings("matrix", &url, "1:A", "#alias:x.org")).err();
    assert!(
        alias
            .unwrap()
            .starts_with("notifier.channels.ops.to: a room's id")
    );
}

#[tokio::test]
async fn slack_says_no_with_status_200() {
    let (url, _got) = receiver(|(path, ..)| match path.as_str() {
        "/limited" => r#"{"ok":false,"error":"ratelimited"}"#.into_response(),
        _ => r#"{"ok":false,"error":"channel_not_found"}"#.into_response(),
    })
    .await;
    let failure = async |path: &str| {
        let channel = settings("slack", &format!("{url}{path}"), "xoxb-1", "C1");
        send(channel).await.unwrap_err().failure
    };
    assert_eq!(
        failure("/limited").await,
        Failure::Temporary { retry_after: None }
    );
    assert_eq!(failure("/gone").await, Failure::Permanent);
}

#[tokio::test]
async fn of_an_endless_answer_only_the_beginning_is_read() {
    let (url, _got) = receiver(|_| {
        let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 8192]));
        Body::from_stream(stream::repeat_with(chunk)).into_response()
    })
    .await;
    let sent = send(settings("discord", &url, "", "")).await.unwrap();
    assert_eq!(sent.status, Some(200));
}

#[tokio::test]
async fn an_answer_that_dribbles_is_judged_by_what_came() {
    let (url, _got) = receiver(|_| {
        let beginning = async { Ok::<_, std::io::Error>(Bytes::from_static(b"no room")) };
        let body = stream::once(beginning).chain(stream::pending());
        (StatusCode::SERVICE_UNAVAILABLE, Body::from_stream(body)).into_response()
    })
    .await;
    let failed = send(settings("discord", &url, "", "")).await.unwrap_err();
    assert_eq!(failed.status, Some(503));
    assert!(failed.error.ends_with(": no room"), "{}", failed.error);
}

#[tokio::test]
async fn no_error_holds_a_secret() {
    // It repeats all it was sent.
    let (url, _got) = receiver(|got| {
        let status = StatusCode::BAD_REQUEST;
        (status, format!("{got:?}")).into_response()
    })
    .await;
    for (kind, to) in [
        ("slack", "C1"),
        ("telegram", "1"),
        ("pagerduty", ""),
        ("ntfy", "a"),
    ] {
        let failed = send(settings(kind, &url, "SECRET", to)).await.unwrap_err();
        assert!(!failed.error.contains("SECRET"), "{}", failed.error);
        let answer = failed.answer.unwrap();
        assert!(!answer.contains("SECRET"), "{answer}");
    }
    // Nobody listens on port 9 of this machine.
    let failed = send(settings("discord", "http://127.0.0.1:9/SECRET", "", "")).await;
    let error = failed.unwrap_err().error;
    assert!(!error.contains("SECRET"), "{error}");
    let shown = format!("{:?}", settings("slack", "https://SECRET", "SECRET", ""));
    assert!(!shown.contains("SECRET"), "{shown}");
}

#[test]
fn wrong_settings_are_told_by_name() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let error = |kind, url, token, to| {
        made(settings(kind, url, token, to))
            .err()
            .unwrap_or_default()
    };
    let url = "https://example.org/SECRET";
    for (error, expected) in [
        (
            error("slak", url, "", ""),
            "notifier.channels.ops.kind: it is one of ",
        ),
        (
            error("discord", "", "", ""),
            "notifier.channels.ops.url: relative URL",
        ),
        (
            error("teams", "ftp://example.org", "", ""),
            "notifier.channels.ops.url: it must",
        ),
        (
            error("teams", url, "SECRET", ""),
            "notifier.channels.ops.token: teams has url and nothing else",
        ),
        (
            error("slack", url, "", "C1"),
            "notifier.channels.ops.to: an incoming webhook",
        ),
        (
            error("slack", "", "SECRET", ""),
            "notifier.channels.ops.to: ",
        ),
        (
            error("telegram", "", "SECRET/../x", "1"),
            "notifier.channels.ops.token: ",
        ),
        (
            error("pagerduty", "", "", ""),
            "notifier.channels.ops.token: ",
        ),
        (error("ntfy", "", "", "a/b"), "notifier.channels.ops.to: "),
        (
            error("webhook", url, "", ""),
            "notifier.channels.ops.secret: ",
        ),
    ] {
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("SECRET"), "{error}");
    }
    let twice = Settings {
        channels: vec![
            settings("teams", url, "", ""),
            settings("discord", url, "", ""),
        ],
        ..Settings::default()
    };
    let error = configured(&twice).err().unwrap().to_string();
    assert_eq!(error, "notifier.channels.ops.name: another channel has it");
}
