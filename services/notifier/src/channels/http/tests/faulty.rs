//! Receivers that break the rules.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use portwatch_domain::notification::retry::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{Ipv4Addr, receiver, send, settings};
use crate::channels::{Failed, Sent};

/// A request on its way to a receiver that speaks no HTTP by itself; what it sent was read.
async fn asked() -> (JoinHandle<Result<Sent, Failed>>, TcpStream) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let sending = tokio::spawn(send(settings("discord", &url, "", "")));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut got = Vec::new();
    while !whole(&got) {
        assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
    }
    (sending, stream)
}

/// Whether a request has come with all of its body.
fn whole(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.unwrap().parse().unwrap()
}

/// Ends a connection by RST.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

#[tokio::test]
async fn a_redirect_is_not_followed_wherever_it_points() {
    let (url, mut got) = receiver(|(path, ..)| {
        let status: u16 = path
            .trim_start_matches("/?wait=true&status=")
            .parse()
            .unwrap();
        let location = [("location", "http://169.254.169.254/latest/meta-data/")];
        (StatusCode::from_u16(status).unwrap(), location).into_response()
    })
    .await;
    for status in [301, 302, 303, 307, 308] {
        let channel = settings(
            "mattermost",
            &format!("{url}/?wait=true&status={status}"),
            "",
            "",
        );
        let failed = send(channel).await.unwrap_err();
        assert_eq!(failed.status, Some(status));
        assert!(
            failed.error.contains("redirects are not followed"),
            "{}",
            failed.error
        );
        got.recv().await.unwrap();
        assert!(got.try_recv().is_err(), "one request, and no other");
    }
}

#[tokio::test]
async fn a_reset_before_the_answer_is_a_failure_that_passes() {
    let (sending, stream) = asked().await;
    reset(stream);
    let failed = sending.await.unwrap().unwrap_err();
    assert_eq!(failed.failure, Failure::Temporary { retry_after: None });
    assert_eq!(failed.status, None);
}

#[tokio::test]
async fn a_reset_within_the_answer_takes_nothing_back() {
    for (answer, taken) in [("200 OK", true), ("503 Later", false)] {
        let (sending, mut stream) = asked().await;
        let head = format!("HTTP/1.1 {answer}\r\ncontent-length: 1000\r\n\r\nsome");
        stream.write_all(head.as_bytes()).await.unwrap();
        reset(stream);
        let sent = sending.await.unwrap();
        assert_eq!(sent.is_ok(), taken, "{sent:?}");
    }
}

#[tokio::test]
async fn of_a_gigabyte_only_the_beginning_is_taken() {
    let (sending, mut stream) = asked().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 65_536];
    let mut written = 0;
    while stream.write_all(&chunk).await.is_ok() {
        written += chunk.len();
    }
    assert_eq!(sending.await.unwrap().unwrap().status, Some(200));
    // What the sockets of both ends hold, and not more.
    assert!(written < 64 << 20, "{written} bytes were taken");
}

#[tokio::test]
async fn what_is_no_http_is_a_failure_that_passes() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "\0\0\0\0",
    ] {
        let (sending, mut stream) = asked().await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        drop(stream);
        let failed = sending.await.unwrap().unwrap_err();
        assert_eq!(failed.failure, Failure::Temporary { retry_after: None });
    }
}

#[tokio::test]
async fn one_that_never_answers_is_left_after_a_while() {
    let (sending, stream) = asked().await;
    // Nothing but time is waited for from here on, so it may fly.
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let failed = sending.await.unwrap().unwrap_err();
    assert_eq!(failed.failure, Failure::Temporary { retry_after: None });
    // Timers end at the next full millisecond, which can be after the 15 s.
    let waited = started.elapsed();
    assert!(waited < Duration::from_secs(16), "{waited:?}");
    drop(stream);
}
