//! Receivers behind TLS: one that can be trusted is told, those that cannot be are not, and the log says why.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portwatch_tests::{Listener, Portwatch, SECRET, free_port};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "authority of this test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for this name until this year, signed by the authority if there is one. It sends its
/// own word when a request has come.
async fn server(
    word: &'static str,
    name: &str,
    until: i32,
    authority: Option<&Authority>,
    asked: mpsc::UnboundedSender<&'static str>,
) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = match authority {
        Some(authority) => params.signed_by(&key, authority),
        None => params.self_signed(&key),
    };
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap().der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if answer(&acceptor, stream).await.is_ok() {
                asked.send(word).unwrap();
            }
        }
    });
    address
}

/// Takes one request; an error if there was no handshake, or nothing after it.
async fn answer(acceptor: &TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut beginning = [0; 4];
    stream.read_exact(&mut beginning).await?;
    assert_eq!(&beginning, b"POST");
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).await?;
    stream.shutdown().await
}

fn settings(folder: &Path, channels: &[(&str, SocketAddr)]) -> PathBuf {
    let mut text = "[notifier]\nallow = '127.0.0.1'\n".to_owned();
    for (name, address) in channels {
        let url = format!("https://127.0.0.1:{}/", address.port());
        writeln!(
            text,
            "[[notifier.channels]]\nname = '{name}'\nkind = 'webhook'\nurl = '{url}'\nsecret = '{SECRET}'"
        )
        .unwrap();
    }
    let path = folder.join("portwatch.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn only_a_receiver_whose_certificate_is_good_is_told() {
    let data = TempDir::new().unwrap();
    let authority = authority();
    let roots = data.path().join("roots.pem");
    let der = STANDARD.encode(authority.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    std::fs::write(&roots, pem).unwrap();
    let (sender, mut asked) = mpsc::unbounded_channel();
    let mut channels = Vec::new();
    for (word, name, until, signed) in [
        ("self-signed", "127.0.0.1", 2100, None),
        ("other-name", "127.0.0.2", 2100, Some(&authority)),
        ("expired", "127.0.0.1", 2021, Some(&authority)),
        ("good", "127.0.0.1", 2100, Some(&authority)),
    ] {
        let address = server(word, name, until, signed, sender.clone()).await;
        channels.push((word, address));
    }
    let config = settings(data.path(), &channels);
    let port = free_port();
    let ports = port.to_string();
    let folder = data.path().to_str().unwrap();
    let arguments = ["up", "127.0.0.1", "--ports", &ports, "--interval", "1s"];
    let mut arguments = arguments.to_vec();
    arguments.extend(["--data-dir", folder, "--listen", "127.0.0.1:0"]);
    arguments.extend(["--config", config.to_str().unwrap()]);
    let trust = ("SSL_CERT_FILE", roots.to_str().unwrap().to_owned());
    let portwatch = Portwatch::start(&arguments, &[trust]);
    portwatch.line(": baseline:").await;

    let listener = Listener::start(port).await;
    assert_eq!(asked.recv().await.unwrap(), "good");
    for (word, why) in [
        ("self-signed", "UnknownIssuer"),
        ("other-name", "not valid for name"),
        ("expired", "expired"),
    ] {
        let told = portwatch.line(&format!("channel=\"{word}\"")).await;
        assert!(told.contains("invalid peer certificate"), "{told}");
        assert!(told.contains(why), "{told}");
    }
    assert!(asked.try_recv().is_err(), "nobody else got a request");
    listener.stop().await;
    portwatch.stop().await;
}
