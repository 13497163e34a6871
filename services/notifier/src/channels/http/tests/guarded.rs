//! Which addresses are connected to, by real connections or their absence.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

use axum::Router;
use axum::extract::Request;
use portwatch_domain::notification::retry::Failure;
use portwatch_runtime::settings::List;

use super::{message, receiver, settings};
use crate::channels::{Failed, Sent, configured};
use crate::settings::{Settings, WebhookSettings};

async fn send(url: &str, allow: &[&str], proxy: &str) -> Result<Sent, Failed> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings {
        allow: List(allow.iter().map(|text| text.parse().unwrap()).collect()),
        proxy: proxy.to_owned().into(),
        channels: vec![settings("teams", url, "", "")],
        ..Settings::default()
    };
    let channels = configured(&settings).unwrap();
    channels[0].send(message()).await
}

/// Somebody on this machine who must never be connected to.
struct Inside(TcpListener);

impl Inside {
    fn listen() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn assert_alone(&self, why: &str) {
        let accepted = self.0.accept().unwrap_err();
        assert_eq!(accepted.kind(), ErrorKind::WouldBlock, "{why}");
    }
}

#[tokio::test]
async fn no_way_of_writing_it_leads_inside() {
    let inside = Inside::listen();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "[::]",
        "localhost",
        "LOCALHOST",
    ] {
        let url = format!("http://{host}:{}/", inside.port());
        let failed = send(&url, &[], "").await.unwrap_err();
        assert_eq!(failed.failure, Failure::Temporary { retry_after: None });
        let hint = ": add it to notifier.allow if it is meant";
        assert!(failed.error.ends_with(hint), "{host}: {}", failed.error);
        inside.assert_alone(host);
    }
}

#[tokio::test]
async fn what_is_allowed_is_told_by_address_and_by_name() {
    let (url, mut got) = receiver(|_| axum::response::IntoResponse::into_response("ok")).await;
    for url in [url.clone(), url.replace("127.0.0.1", "localhost")] {
        send(&url, &["127.0.0.0/8"], "").await.unwrap();
        got.recv().await.unwrap();
        let refused = send(&url, &["10.0.0.0/8"], "").await.unwrap_err().error;
        let ip = refused.split(' ').next().unwrap().parse::<IpAddr>();
        assert!(ip.unwrap().is_loopback(), "{refused}");
        assert!(got.try_recv().is_err());
    }
}

#[tokio::test]
async fn what_a_person_typed_is_connected_to_without_more() {
    let (url, mut got) = receiver(|_| axum::response::IntoResponse::into_response("ok")).await;
    for (typed, status) in [(true, Some(200)), (false, None)] {
        let webhook = WebhookSettings {
            url: url.clone(),
            secret: format!("whsec_{}", "A".repeat(32)).into(),
            typed,
            ..WebhookSettings::default()
        };
        let settings = Settings {
            webhook: Some(webhook),
            ..Settings::default()
        };
        let channels = configured(&settings).unwrap();
        let sent = channels[0].send(message()).await;
        assert_eq!(sent.ok().and_then(|sent| sent.status), status);
        assert_eq!(got.try_recv().is_ok(), typed);
    }
}

/// A proxy that answers for everybody, and notes for whom.
async fn proxy() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (sender, asked) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(async move |request: Request| {
        sender.send(request.uri().to_string()).unwrap();
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, asked)
}

#[tokio::test]
async fn a_proxy_is_used_if_it_is_set_and_no_address_inside_is_asked_of_it() {
    let (url, mut asked) = proxy().await;
    send("http://receiver.invalid/hook", &[], &url)
        .await
        .unwrap();
    assert_eq!(asked.recv().await.unwrap(), "http://receiver.invalid/hook");
    for inside in ["http://10.0.0.5/", "http://localhost/", "http://[::1]/"] {
        let error = send(inside, &[], &url).await.unwrap_err().error;
        assert!(error.contains("notifier.allow"), "{error}");
    }
    assert!(asked.try_recv().is_err());
    send("http://10.0.0.5/", &["10.0.0.0/8"], &url)
        .await
        .unwrap();
    assert_eq!(asked.recv().await.unwrap(), "http://10.0.0.5/");

    let wrong = Settings {
        proxy: "10.0.0.1:3128".to_owned().into(),
        ..Settings::default()
    };
    let error = configured(&wrong).err().unwrap().to_string();
    assert!(error.starts_with("notifier.proxy.url: "), "{error}");
}
