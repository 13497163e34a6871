//! Roxy-WI behind TLS with a certificate of its own, as it is installed, and settings that come from the environment.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portwatch_tests::Portwatch;
use portwatch_tests::roxy_wi::{PASSWORD, Server, Site};
use rcgen::{CertificateParams, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// TLS in front of a plain address, for the name `localhost`; gives its port and its certificate in PEM.
async fn tls(behind: SocketAddr) -> (u16, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust the certificate goes away here.
                let Ok(mut outer) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inner = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    (port, certificate.pem())
}

#[tokio::test]
async fn only_a_certificate_that_is_trusted_is_given_the_password() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![Server::new(1, "lb-1", "127.0.0.2")];
    let behind = site
        .roxy_wi
        .url()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let (port, certificate) = tls(behind).await;
    let (settings, ca, secret) = (
        site.path("empty.toml"),
        site.path("ca.pem"),
        site.path("password"),
    );
    std::fs::write(&settings, "").unwrap();
    std::fs::write(&ca, certificate).unwrap();
    std::fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
    let key = |key: &str| format!("PORTWATCH__SCHEDULER__ROXY_WI__{key}");
    let (url, login, password, trusted) = (
        key("URL"),
        key("LOGIN"),
        key("PASSWORD_FILE"),
        key("CA_FILE"),
    );
    let mut environment = vec![
        (url.as_str(), format!("https://localhost:{port}")),
        (login.as_str(), "portwatch".to_owned()),
        (password.as_str(), secret),
    ];
    let data = site.path("data");
    let sync = [
        "roxy-wi",
        "sync",
        "--config",
        &settings,
        "--data-dir",
        &data,
    ];
    let output = Portwatch::output(&sync, &environment).await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && err.contains("certificate"),
        "{err}"
    );
    assert!(site.roxy_wi.world().requests.is_empty());

    environment.push((trusted.as_str(), ca));
    let output = Portwatch::output(&sync, &environment).await;
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(
        output.status.success() && out.contains("1 target by Roxy-WI's list; 1 changed"),
        "{out}{err}"
    );
}
