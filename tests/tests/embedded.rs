//! `portwatch up` as a newcomer meets it: one process, nothing installed.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use portwatch_tests::{Listener, Portwatch, Receiver, SECRET, free_port};
use tempfile::TempDir;

/// `up` on 127.0.0.1 with an interval of 1 s and a data folder of its own.
fn up(data: &TempDir, ports: &str, more: &[&str], secret: Option<&str>) -> Portwatch {
    let folder = data.path().to_str().unwrap();
    let mut arguments = vec!["up", "127.0.0.1", "--ports", ports, "--interval", "1s"];
    arguments.extend(["--data-dir", folder, "--listen", "127.0.0.1:0"]);
    arguments.extend(more);
    let secret = secret.map(|secret| ("PORTWATCH_WEBHOOK_SECRET", secret.to_owned()));
    Portwatch::start(&arguments, &secret.into_iter().collect::<Vec<_>>())
}

#[tokio::test]
async fn a_port_that_opens_and_closes_is_told_once_each() {
    let data = TempDir::new().unwrap();
    let mut receiver = Receiver::start().await;
    let (known, new) = (Listener::start(free_port()).await, free_port());
    let ports = format!("{},{new}", known.port());
    let portwatch = up(&data, &ports, &["--webhook", &receiver.url()], Some(SECRET));
    portwatch.line(": baseline:").await;

    let listener = Listener::start(new).await;
    let opened = receiver.expect("port.opened", new).await;
    for (key, value) in [
        ("target", "127.0.0.1"),
        ("host", "127.0.0.1"),
        ("ip", "127.0.0.1"),
        ("protocol", "tcp"),
    ] {
        assert_eq!(opened[key], value, "{opened:#}");
    }
    assert_eq!(opened["expected"], false);
    assert_eq!(opened["evidence"]["answer"], "syn-ack");
    assert!(
        opened["service"].is_string()
            && opened["at"].is_string()
            && opened["change_id"].is_string()
    );
    portwatch.line(&format!("port {new}/tcp")).await;

    listener.stop().await;
    let closed = receiver.expect("port.closed", new).await;
    assert_eq!(closed["evidence"]["answer"], "rst");
    assert_ne!(closed["change_id"], opened["change_id"]);

    // Several more scans say nothing: neither of the port that was open all along, nor again of this.
    assert_eq!(
        receiver.rest(Duration::from_secs(3)).await,
        Vec::<serde_json::Value>::new()
    );
    assert_eq!(portwatch.lines_with(" opened").len(), 1);
    assert_eq!(portwatch.lines_with(" closed").len(), 1);
    let (code, printed) = portwatch.stop().await;
    assert_eq!(code, Some(0), "{printed}");
    known.stop().await;
}

#[tokio::test]
async fn what_changed_while_it_was_killed_is_told_once_after_the_restart() {
    let data = TempDir::new().unwrap();
    let mut receiver = Receiver::start().await;
    let port = free_port();
    let ports = port.to_string();
    let url = receiver.url();
    let portwatch = up(&data, &ports, &["--webhook", &url], Some(SECRET));
    portwatch.line(": baseline:").await;
    portwatch.kill().await;

    let listener = Listener::start(port).await;
    let portwatch = up(&data, &ports, &["--webhook", &url], Some(SECRET));
    receiver.expect("port.opened", port).await;
    portwatch.kill().await;

    listener.stop().await;
    let portwatch = up(&data, &ports, &["--webhook", &url], Some(SECRET));
    receiver.expect("port.closed", port).await;
    assert_eq!(
        receiver.rest(Duration::from_secs(3)).await,
        Vec::<serde_json::Value>::new()
    );
    portwatch.stop().await;
}

#[tokio::test]
async fn ports_that_are_added_to_a_target_are_not_announced() {
    let data = TempDir::new().unwrap();
    let mut receiver = Receiver::start().await;
    let (first, added) = (free_port(), Listener::start(free_port()).await);
    let url = receiver.url();
    let portwatch = up(
        &data,
        &first.to_string(),
        &["--webhook", &url],
        Some(SECRET),
    );
    portwatch.line(": baseline:").await;
    portwatch.stop().await;

    let ports = format!("{first},{}", added.port());
    let portwatch = up(&data, &ports, &["--webhook", &url], Some(SECRET));
    portwatch.line("scan of 127.0.0.1").await;
    assert_eq!(
        receiver.rest(Duration::from_secs(3)).await,
        Vec::<serde_json::Value>::new()
    );

    let port = added.port();
    added.stop().await;
    receiver.expect("port.closed", port).await;
    portwatch.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_away_hears_of_it_later() {
    let data = TempDir::new().unwrap();
    let mut receiver = Receiver::start().await;
    let port = free_port();
    let portwatch = up(
        &data,
        &port.to_string(),
        &["--webhook", &receiver.url()],
        Some(SECRET),
    );
    portwatch.line(": baseline:").await;
    receiver.refuse(1);
    let listener = Listener::start(port).await;
    receiver.expect("port.opened", port).await;
    // The closing waits for the opening: a host's changes arrive in order.
    listener.stop().await;
    receiver.expect("port.closed", port).await;
    portwatch.stop().await;
}

#[tokio::test]
async fn a_secret_is_made_once_and_kept() {
    let data = TempDir::new().unwrap();
    let port = free_port();
    let portwatch = up(
        &data,
        &port.to_string(),
        &["--webhook", "http://127.0.0.1:9/"],
        None,
    );
    let line = portwatch.line("whsec_").await;
    let secret = line
        .split_whitespace()
        .find(|word| word.starts_with("whsec_"))
        .unwrap()
        .to_owned();
    portwatch.stop().await;

    let mut receiver = Receiver::with_secret(&secret).await;
    let portwatch = up(
        &data,
        &port.to_string(),
        &["--webhook", &receiver.url()],
        None,
    );
    portwatch.line("scan of 127.0.0.1").await;
    let listener = Listener::start(port).await;
    receiver.expect("port.opened", port).await;
    listener.stop().await;
    portwatch.stop().await;
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let data = TempDir::new().unwrap();
    let port = free_port().to_string();
    let portwatch = up(&data, &port, &[], None);
    portwatch.line(": baseline:").await;
    let second = up(&data, &port, &[], None);
    let told = second.line("portwatch: ").await;
    assert!(told.contains(data.path().to_str().unwrap()), "{told}");
    portwatch.stop().await;
}
