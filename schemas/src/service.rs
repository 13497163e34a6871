//! What listens on a port, as it stands in snapshots and changes.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use portwatch_domain::snapshot::service::{
    Certificate, Http, MAX_CERTIFICATE_NAMES, NameSource, SafeText, Service, ServiceName, Tls,
};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Misfit, Problem};
use crate::text::Text;

/// Text from the other side. It is made safe again whenever it is read: a message may be forged.
#[derive(Debug)]
struct Safe<const MAX: usize>(SafeText<MAX>);

impl<const MAX: usize> Serialize for Safe<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Safe<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Ok(Self(SafeText::new(&text)))
    }
}

#[derive(Serialize, Deserialize)]
pub struct ServiceWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Safe<32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Text<NameSource>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<Safe<128>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banner: Option<Safe<512>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsWire>,
}

#[derive(Serialize, Deserialize)]
struct HttpWire {
    #[serde(deserialize_with = "status")]
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Safe<128>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Safe<256>>,
}

#[derive(Serialize, Deserialize)]
struct TlsWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Safe<16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<Safe<32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Safe<128>>,
}

#[derive(Serialize, Deserialize)]
struct CertificateWire {
    subject: Safe<256>,
    issuer: Safe<256>,
    names: Vec<Safe<253>>,
    not_before: Timestamp,
    not_after: Timestamp,
    sha256: Text<Sha256>,
}

/// A status code has three digits.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let code = u16::deserialize(deserializer)?;
    if (100..=999).contains(&code) {
        return Ok(code);
    }
    Err(D::Error::custom(format_args!(
        "{code} is not a status code"
    )))
}

/// A hash as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
struct Sha256([u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a SHA-256 of 64 hexadecimal digits");
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return Err(wrong());
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            let digits = &text[2 * place..2 * place + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

fn safe<const MAX: usize>(text: Option<&SafeText<MAX>>) -> Option<Safe<MAX>> {
    text.cloned().map(Safe)
}

fn text<const MAX: usize>(wire: Option<Safe<MAX>>) -> Option<SafeText<MAX>> {
    wire.map(|safe| safe.0)
}

impl From<&Service> for ServiceWire {
    fn from(service: &Service) -> Self {
        let name = service.name.as_ref();
        let http = |http: &Http| HttpWire {
            status: http.status,
            server: safe(http.server.as_ref()),
            title: safe(http.title.as_ref()),
        };
        let tls = |tls: &Tls| TlsWire {
            version: safe(tls.version.as_ref()),
            alpn: safe(tls.alpn.as_ref()),
            certificate: tls.certificate.as_ref().map(CertificateWire::from),
            refused: safe(tls.refused.as_ref()),
        };
        Self {
            name: name.map(|name| Safe(name.text.clone())),
            source: name.map(|name| Text(name.source)),
            product: safe(service.product.as_ref()),
            banner: safe(service.banner.as_ref()),
            http: service.http.as_deref().map(http),
            tls: service.tls.as_deref().map(tls),
        }
    }
}

impl From<&Certificate> for CertificateWire {
    fn from(certificate: &Certificate) -> Self {
        Self {
            subject: Safe(certificate.subject.clone()),
            issuer: Safe(certificate.issuer.clone()),
            names: certificate.names.iter().cloned().map(Safe).collect(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            sha256: Text(Sha256(certificate.sha256)),
        }
    }
}

impl TryFrom<ServiceWire> for Service {
    type Error = Misfit;

    fn try_from(wire: ServiceWire) -> Result<Self, Misfit> {
        let name = match (wire.name, wire.source) {
            (Some(name), Some(source)) => Some(ServiceName {
                text: name.0,
                source: source.0,
            }),
            (None, None) => None,
            _ => return Err(Misfit::new("source", Problem::NameSource)),
        };
        let http = |http: HttpWire| {
            Box::new(Http {
                status: http.status,
                server: text(http.server),
                title: text(http.title),
            })
        };
        let tls = |tls: TlsWire| {
            Box::new(Tls {
                version: text(tls.version),
                alpn: text(tls.alpn),
                certificate: tls.certificate.map(Certificate::from),
                refused: text(tls.refused),
            })
        };
        Ok(Self {
            name,
            product: text(wire.product),
            banner: text(wire.banner),
            http: wire.http.map(http),
            tls: wire.tls.map(tls),
        })
    }
}

impl From<CertificateWire> for Certificate {
    fn from(wire: CertificateWire) -> Self {
        let names = wire.names.into_iter().map(|name| name.0);
        Self {
            subject: wire.subject.0,
            issuer: wire.issuer.0,
            names: names.take(MAX_CERTIFICATE_NAMES).collect(),
            not_before: wire.not_before,
            not_after: wire.not_after,
            sha256: wire.sha256.0.0,
        }
    }
}
