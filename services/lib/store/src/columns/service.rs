//! What listens on a port, as JSON in one column: nothing is ever looked up by what is in it.

use jiff::Timestamp;
use portwatch_domain::snapshot::Service;
use portwatch_domain::snapshot::service::{
    Certificate, Http, NameSource, SafeText, ServiceName, Tls,
};
use serde::{Deserialize, Serialize};

use super::{Unreadable, parse};

const COLUMN: &str = "service";

/// A service as it stands in JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct ServiceJson {
    name: Option<(String, String)>,
    product: Option<String>,
    banner: Option<String>,
    http: Option<HttpJson>,
    tls: Option<TlsJson>,
}

#[derive(Serialize, Deserialize)]
struct HttpJson {
    status: u16,
    server: Option<String>,
    title: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct TlsJson {
    version: Option<String>,
    alpn: Option<String>,
    certificate: Option<CertificateJson>,
    refused: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CertificateJson {
    subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: Timestamp,
    not_after: Timestamp,
    sha256: [u8; 32],
}

fn written<const MAX: usize>(text: Option<&SafeText<MAX>>) -> Option<String> {
    text.map(ToString::to_string)
}

fn read<const MAX: usize>(text: Option<&String>) -> Option<SafeText<MAX>> {
    text.map(|text| SafeText::new(text))
}

impl From<&Service> for ServiceJson {
    fn from(service: &Service) -> Self {
        Self {
            name: service
                .name
                .as_ref()
                .map(|name| (name.text.to_string(), name.source.to_string())),
            product: written(service.product.as_ref()),
            banner: written(service.banner.as_ref()),
            http: service.http.as_ref().map(|http| HttpJson {
                status: http.status,
                server: written(http.server.as_ref()),
                title: written(http.title.as_ref()),
            }),
            tls: service.tls.as_ref().map(|tls| TlsJson {
                version: written(tls.version.as_ref()),
                alpn: written(tls.alpn.as_ref()),
                certificate: tls.certificate.as_ref().map(certificate_to_json),
                refused: written(tls.refused.as_ref()),
            }),
        }
    }
}

/// Writes a service into its column.
pub(crate) fn to_json(service: &Service) -> Option<String> {
    // Texts and numbers can always be written.
    serde_json::to_string(&ServiceJson::from(service)).ok()
}

fn certificate_to_json(certificate: &Certificate) -> CertificateJson {
    CertificateJson {
        subject: certificate.subject.to_string(),
        issuer: certificate.issuer.to_string(),
        names: certificate.names.iter().map(ToString::to_string).collect(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        sha256: certificate.sha256,
    }
}

/// Reads a service from its column.
pub(crate) fn from_json(text: &str) -> Result<Service, Unreadable> {
    let json: ServiceJson =
        serde_json::from_str(text).map_err(|error| Unreadable::new(COLUMN, error))?;
    json.service()
}

impl ServiceJson {
    pub(super) fn service(self) -> Result<Service, Unreadable> {
        let name = self.name.map(|(text, source)| {
            let source: NameSource = parse(COLUMN, &source)?;
            let text = SafeText::new(&text);
            Ok(ServiceName { text, source })
        });
        let http = self.http.map(|http| Http {
            status: http.status,
            server: read(http.server.as_ref()),
            title: read(http.title.as_ref()),
        });
        let tls = self.tls.map(|tls| Tls {
            version: read(tls.version.as_ref()),
            alpn: read(tls.alpn.as_ref()),
            certificate: tls.certificate.as_ref().map(certificate_from_json),
            refused: read(tls.refused.as_ref()),
        });
        Ok(Service {
            name: name.transpose()?,
            product: read(self.product.as_ref()),
            banner: read(self.banner.as_ref()),
            http: http.map(Box::new),
            tls: tls.map(Box::new),
        })
    }
}

fn certificate_from_json(json: &CertificateJson) -> Certificate {
    Certificate {
        subject: SafeText::new(&json.subject),
        issuer: SafeText::new(&json.issuer),
        names: json.names.iter().map(|name| SafeText::new(name)).collect(),
        not_before: json.not_before,
        not_after: json.not_after,
        sha256: json.sha256,
    }
}
