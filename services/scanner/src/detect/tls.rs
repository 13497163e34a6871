//! A TLS handshake (RFC 8446, RFC 5246) that looks at the certificate and trusts nobody.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use portwatch_domain::snapshot::service::{SafeText, Tls};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};

use super::certificate;
use super::connection::Line;

/// The one protocol that is offered: the one that is spoken afterwards.
const ALPN: &[u8] = b"http/1.1";

/// What became of a handshake.
pub(super) enum Outcome<S> {
    /// The other side speaks TLS, and this is open.
    Open(Tls, Box<TlsStream<S>>),
    /// It speaks TLS, and would not go on.
    Refused(Tls),
    /// It would have gone on with other protocols than were offered.
    NoSuchProtocol,
    /// It does not speak TLS, as far as it was heard.
    Nothing,
}

/// Greets the other side as `name`, or without one where only an address is known.
pub(super) async fn shake<S: Line>(
    line: S,
    ip: IpAddr,
    name: Option<&str>,
    offer: bool,
) -> Outcome<S> {
    let seen = Arc::new(Seen::default());
    let Some(config) = config(seen.clone(), offer) else {
        return Outcome::Nothing;
    };
    let server = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
    let server = server.unwrap_or(ServerName::IpAddress(ip.into()));
    match TlsConnector::from(config).connect(server, line).await {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            let tls = Tls {
                version: connection.protocol_version().map(version),
                alpn: connection.alpn_protocol().map(SafeText::from_bytes),
                certificate: seen.certificate(),
                refused: None,
            };
            Outcome::Open(tls, Box::new(stream))
        }
        Err(error) => {
            let error = error
                .get_ref()
                .and_then(|error| error.downcast_ref::<Error>());
            refused(error, &seen)
        }
    }
}

fn refused<S>(error: Option<&Error>, seen: &Seen) -> Outcome<S> {
    let certificate = seen.certificate();
    let why = match error {
        Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            return Outcome::NoSuchProtocol;
        }
        Some(Error::AlertReceived(alert)) => format!("alert: {}", spoken(&format!("{alert:?}"))),
        // An old version or suite, which the library does not speak any more, is chosen in a right message.
        Some(Error::PeerIncompatible(why)) => {
            format!("not supported: {}", spoken(&format!("{why:?}")))
        }
        _ if certificate.is_some() => "the handshake was broken off".to_owned(),
        _ => return Outcome::Nothing,
    };
    Outcome::Refused(Tls {
        certificate,
        refused: Some(SafeText::new(&why)),
        ..Tls::default()
    })
}

/// `ProtocolVersion` as `protocol version`.
fn spoken(word: &str) -> String {
    let mut text = String::new();
    for character in word.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

fn version(version: ProtocolVersion) -> SafeText<16> {
    match version {
        ProtocolVersion::TLSv1_2 => SafeText::new("TLS 1.2"),
        ProtocolVersion::TLSv1_3 => SafeText::new("TLS 1.3"),
        other => SafeText::new(&format!("{other:?}")),
    }
}

fn config(seen: Arc<Seen>, offer: bool) -> Option<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .ok()?;
    let mut config = config
        .dangerous()
        .with_custom_certificate_verifier(seen)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    if offer {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Some(Arc::new(config))
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// Takes every certificate, and keeps the last: what is wanted is evidence of what is there.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<Vec<u8>>>);

impl Seen {
    fn certificate(&self) -> Option<portwatch_domain::snapshot::service::Certificate> {
        let der = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        der.as_deref().and_then(certificate::read)
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// All of them, so that no server has to refuse for its certificate's sake.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme as S;
        vec![
            S::ECDSA_NISTP256_SHA256,
            S::ECDSA_NISTP384_SHA384,
            S::ECDSA_NISTP521_SHA512,
            S::ED25519,
            S::ED448,
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
            S::ECDSA_SHA1_Legacy,
            S::RSA_PKCS1_SHA1,
        ]
    }
}
