//! What listens on a port, as JSON. What was not told is left out.

use std::fmt::Write as _;

use jiff::Timestamp;
use portwatch_domain::snapshot::Service;
use portwatch_domain::snapshot::service::{Certificate, Http, SafeText, Tls};
use serde::Serialize;

/// What listens on a port.
#[derive(Serialize)]
pub struct ServiceJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// `probe` if its answer shows the name, `port` if only the port's number suggests it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsJson<'a>>,
}

#[derive(Serialize)]
struct HttpJson<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Serialize)]
struct TlsJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateJson<'a>>,
}

#[derive(Serialize)]
struct CertificateJson<'a> {
    subject: &'a str,
    issuer: &'a str,
    names: Vec<&'a str>,
    not_before: Timestamp,
    not_after: Timestamp,
    sha256: String,
}

fn text<const MAX: usize>(text: Option<&SafeText<MAX>>) -> Option<&str> {
    text.map(SafeText::as_str)
}

impl<'a> ServiceJson<'a> {
    /// The JSON of a service.
    pub fn of(service: &'a Service) -> Self {
        let name = service.name.as_ref();
        Self {
            name: name.map(|name| name.text.as_str()),
            name_from: name.map(|name| name.source.as_str()),
            product: text(service.product.as_ref()),
            banner: text(service.banner.as_ref()),
            http: service.http.as_deref().map(HttpJson::of),
            tls: service.tls.as_deref().map(TlsJson::of),
        }
    }
}

impl<'a> HttpJson<'a> {
    fn of(http: &'a Http) -> Self {
        Self {
            status: http.status,
            server: text(http.server.as_ref()),
            title: text(http.title.as_ref()),
        }
    }
}

impl<'a> TlsJson<'a> {
    fn of(tls: &'a Tls) -> Self {
        Self {
            version: text(tls.version.as_ref()),
            alpn: text(tls.alpn.as_ref()),
            refused: text(tls.refused.as_ref()),
            certificate: tls.certificate.as_ref().map(CertificateJson::of),
        }
    }
}

impl<'a> CertificateJson<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        Self {
            subject: certificate.subject.as_str(),
            issuer: certificate.issuer.as_str(),
            names: certificate.names.iter().map(SafeText::as_str).collect(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            sha256: hexadecimal(&certificate.sha256),
        }
    }
}

/// Bytes as people write fingerprints: `3b5f…`.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
