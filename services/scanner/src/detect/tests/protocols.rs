//! Protocols that have to be asked in their own words.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::servers::{V4, on, server_config, silence};
use super::*;
use crate::detect::probes::{Attempt, POSTGRES, Probe, RDP};

/// What a server is found to be if it is asked in this way.
async fn tried(address: SocketAddr, attempt: Attempt) -> Service {
    let budget = Budget::new(&Settings::default());
    let connect = Options::default().connect;
    let none = Exclusions::default();
    let door = Door::new(address.ip(), address.port(), connect, budget, none);
    let mut talk = Talk::new(door, Port::tcp(address.port()), None);
    talk.try_all(&[attempt]).await;
    talk.service().unwrap()
}

/// A server that gives `answer` to `question`, to nothing else, and then perhaps goes on in TLS.
async fn answering(question: &'static [u8], answer: &'static [u8], then_tls: bool) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(server_config()));
    on(V4, move |mut line| {
        let acceptor = acceptor.clone();
        async move {
            let mut asked = vec![0; question.len()];
            if line.read_exact(&mut asked).await.is_err() || asked != question {
                return;
            }
            let _ = line.write_all(answer).await;
            if then_tls {
                let _ = acceptor.accept(line).await;
            } else {
                silence(&mut line).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn postgresql_is_asked_for_tls_and_shows_its_certificate() {
    let attempt = Attempt::Plain(Probe::Postgres);
    let secured = tried(answering(&POSTGRES, b"S", true).await, attempt).await;
    assert_eq!(secured.proven_name(), Some("postgresql"));
    let certificate = secured.tls.unwrap().certificate.unwrap();
    assert_eq!(certificate.subject.as_str(), "CN=db1.example.org");
    let plain = tried(answering(&POSTGRES, b"N", false).await, attempt).await;
    assert_eq!(plain.proven_name(), Some("postgresql"));
    assert_eq!(plain.tls, None);
    let other = tried(answering(&POSTGRES, b"?", false).await, attempt).await;
    assert_eq!(other.proven_name(), None);
}

#[tokio::test]
async fn postgresql_is_found_where_nobody_expects_it() {
    let address = answering(&POSTGRES, b"N", false).await;
    let found = ask(&[address], &Options::default())
        .await
        .remove(0)
        .unwrap();
    assert_eq!(found.proven_name(), Some("postgresql"));
}

#[tokio::test]
async fn rdp_goes_on_in_tls() {
    let confirm = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0";
    let found = tried(
        answering(&RDP, confirm, true).await,
        Attempt::Plain(Probe::Rdp),
    )
    .await;
    assert_eq!(found.proven_name(), Some("rdp"));
    assert!(found.tls.unwrap().certificate.is_some());
}

#[tokio::test]
async fn others_are_asked_in_their_own_words() {
    use crate::detect::probes::attempts;
    for (port, question, answer, name) in [
        (
            6379,
            &b"PING\r\n"[..],
            &b"-NOAUTH Authentication required.\r\n"[..],
            "redis",
        ),
        (11211, b"version\r\n", b"VERSION 1.6.21\r\n", "memcached"),
        (5672, b"AMQP\0\0\x09\x01", b"AMQP\0\0\x09\x01", "amqp"),
        (
            1883,
            b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
            b"\x20\x02\0\x05",
            "mqtt",
        ),
        (
            389,
            b"\x30\x25\x02\x01\x01",
            b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\0\x04\0\x04\0",
            "ldap",
        ),
        (
            53,
            b"\0\x1epw",
            b"\0\x0cpw\x85\x05\0\x01\0\0\0\0\0\0",
            "domain",
        ),
    ] {
        let found = tried(answering(question, answer, false).await, attempts(port)[0]).await;
        assert_eq!(found.proven_name(), Some(name));
    }
}

#[tokio::test]
async fn a_web_server_that_asks_for_tls_is_asked_in_tls() {
    let page = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 68\r\n\r\n\
        <title>400 The plain HTTP request was sent to HTTPS port</title>    ";
    let acceptor = TlsAcceptor::from(Arc::new(server_config()));
    let address = on(V4, move |mut line| {
        let acceptor = acceptor.clone();
        async move {
            let mut first = [0];
            let _ = line.peek(&mut first).await;
            if first == [22] {
                if let Ok(mut line) = acceptor.accept(line).await {
                    let mut request = [0; 1024];
                    let _ = line.read(&mut request).await;
                    let _ = line
                        .write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
                        .await;
                    silence(&mut line).await;
                }
            } else {
                let mut request = [0; 1024];
                let _ = line.read(&mut request).await;
                let _ = line.write_all(page).await;
                silence(&mut line).await;
            }
        }
    })
    .await;
    let found = ask(&[address], &Options::default())
        .await
        .remove(0)
        .unwrap();
    assert_eq!(found.proven_name(), Some("https"));
    assert_eq!(found.http.unwrap().status, 204);
    assert!(found.tls.unwrap().certificate.is_some());
}
