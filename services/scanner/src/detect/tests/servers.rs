//! Servers that end with the test.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, crypto::ring};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Serves each connection with `serve` until the runtime ends; its address.
pub async fn on<F>(ip: IpAddr, serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// A server that says this and waits for the end.
pub async fn saying(ip: IpAddr, bytes: &'static [u8]) -> SocketAddr {
    on(ip, move |mut stream| async move {
        let _ = stream.write_all(bytes).await;
        silence(&mut stream).await;
    })
    .await
}

/// Reads until the other side has gone.
pub async fn silence(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let _ = tokio::io::copy(stream, &mut tokio::io::sink()).await;
}

/// A certificate that nobody should trust.
pub fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let names = ["db1.example.org".to_owned(), "198.18.0.1".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "db1.example.org");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    (certificate.der().clone(), key)
}

/// A server of TLS that shows [`certificate`].
pub fn server_config() -> ServerConfig {
    let (certificate, key) = certificate();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(BOTH)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// A TLS server of these versions and protocols, which serves each connection with `serve`.
pub async fn tls_on<F>(
    ip: IpAddr,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
    serve: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + 'static,
) -> (SocketAddr, CertificateDer<'static>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (certificate, key) = certificate();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let address = on(ip, move |stream| {
        let (acceptor, serve) = (acceptor.clone(), serve.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream).await;
            }
        }
    })
    .await;
    (address, certificate)
}

pub static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
pub static BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
