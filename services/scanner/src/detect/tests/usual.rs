//! Servers as they are found.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::header::SERVER;
use axum::response::{Html, Redirect};
use axum::routing::get;

use super::servers::{V4, V6, on, saying};
use super::*;

#[tokio::test]
async fn a_greeting_names_the_service_on_both_families() {
    let ssh = b"SSH-2.0-OpenSSH_9.2p1\r\n";
    let addresses = [saying(V4, ssh).await, saying(V6, ssh).await];
    for found in ask(&addresses, &Options::default()).await {
        let found = found.unwrap();
        assert_eq!(found.proven_name(), Some("ssh"));
        assert_eq!(product(&found), Some("OpenSSH_9.2p1"));
        assert_eq!(found.banner.unwrap().as_str(), "SSH-2.0-OpenSSH_9.2p1");
    }
}

#[tokio::test]
async fn a_web_server_shows_its_page_and_is_asked_politely() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    let note = async move |request: Request| {
        let header = |name: &str| {
            let value = request.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let line = (
            request.uri().to_string(),
            header("host"),
            header("user-agent"),
        );
        seen.lock().unwrap().push(line);
        (
            [(SERVER, "nginx/1.24.0")],
            Html("<html><title>Intranet &ndash; Login</title>"),
        )
    };
    let listener = tokio::net::TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(note));
    tokio::spawn(async { axum::serve(listener, router).await });

    let found = ask_as(&[address], &Options::default(), Some("www.example.org")).await;
    let found = found.into_iter().next().flatten().unwrap();
    assert_eq!(found.proven_name(), Some("http"));
    assert_eq!(product(&found), Some("nginx/1.24.0"));
    let http = found.http.unwrap();
    assert_eq!(http.status, 200);
    assert_eq!(http.title.unwrap().as_str(), "Intranet – Login");
    let host = format!("www.example.org:{}", address.port());
    let request = ("/".to_owned(), host, "portwatch".to_owned());
    assert_eq!(*requests.lock().unwrap(), [request], "it is asked once");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let followed = Arc::new(Mutex::new(0));
    let seen = followed.clone();
    let listener = tokio::net::TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(async || Redirect::temporary("/next")))
        .route("/next", get(async move || *seen.lock().unwrap() += 1));
    tokio::spawn(async { axum::serve(listener, router).await });
    let found = ask(&[address], &Options::default())
        .await
        .remove(0)
        .unwrap();
    assert_eq!(found.http.unwrap().status, 307);
    assert_eq!(*followed.lock().unwrap(), 0);
}

#[tokio::test]
async fn what_says_nothing_has_the_name_of_its_number_or_none() {
    let options = Options {
        per_port: Duration::from_millis(300),
        ..Options::default()
    };
    let found = ask(&[saying(V4, b"").await], &options).await.remove(0);
    let name = found.and_then(|found| found.name);
    // The port is one of those that have no usual service, or one that has.
    assert!(name.is_none_or(|name| name.source == portwatch_domain::snapshot::service::NameSource::Port));
}

#[tokio::test]
async fn nothing_goes_to_what_is_excluded() {
    let connections = Arc::new(Mutex::new(0));
    let seen = connections.clone();
    let address = on(V4, move |_| {
        *seen.lock().unwrap() += 1;
        std::future::ready(())
    })
    .await;
    let asked = vec![(address.ip(), None, Port::tcp(address.port()))];
    let budget = Budget::new(&Settings::default());
    let stop = CancellationToken::new();
    let options = Options::default();
    let excluded = excluded("127.0.0.1");
    let found = detect(asked.clone(), &options, &budget, &excluded, &stop).await;
    assert_eq!((found.len(), *connections.lock().unwrap()), (0, 0));
    detect(asked, &options, &budget, &Exclusions::default(), &stop).await;
    assert!(
        *connections.lock().unwrap() > 0,
        "the same, when it is permitted"
    );
}

#[tokio::test]
async fn of_what_was_never_reached_nothing_is_said() {
    // ssh is the usual name for it.
    let asked = vec![(V4, None, Port::tcp(22))];
    let (budget, stop) = (Budget::new(&Settings::default()), CancellationToken::new());
    let options = Options::default();
    let found = detect(asked, &options, &budget, &excluded("127.0.0.1"), &stop).await;
    assert_eq!(found, []);
    let ssh = [saying(V4, b"SSH-2.0-x\r\n").await];
    let options = Options {
        in_all: Duration::ZERO,
        ..Options::default()
    };
    assert_eq!(ask(&ssh, &options).await, [None], "its turn did not come");
}
