//! What listens behind an open port, as far as it says so itself.
//!
//! All of it was written by the other side: it is evidence of what was answered, never of who answered.

mod text;

use jiff::Timestamp;

use crate::spelling::words;

pub use text::SafeText;

/// The most names of a certificate that are kept.
pub const MAX_CERTIFICATE_NAMES: usize = 16;

/// What answered on a port. Every text is safe to print and bounded by its type, in bytes of UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// What it is called, and how that is known.
    pub name: Option<ServiceName>,
    /// The software, as it calls itself: `OpenSSH_9.2p1`, `nginx/1.24.0`.
    pub product: Option<SafeText<128>>,
    /// What it says before it is asked, or its answer to a probe that is no HTTP.
    pub banner: Option<SafeText<512>>,
    /// Its answer to `GET /`.
    pub http: Option<Box<Http>>,
    /// What its TLS handshake showed.
    pub tls: Option<Box<Tls>>,
}

/// The name of a service, such as `ssh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// The name.
    pub text: SafeText<32>,
    /// How it is known.
    pub source: NameSource,
}

/// How the name of a service is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameSource {
    /// Its answer shows it.
    Probe,
    /// It is the usual service on a port of that number; no answer says so.
    Port,
}

words!(
    NameSource,
    "source of a service name",
    Probe = "probe",
    Port = "port"
);

/// An answer to `GET /` (RFC 9110), without following redirects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The Server header.
    pub server: Option<SafeText<128>>,
    /// The title of the page.
    pub title: Option<SafeText<256>>,
}

/// What a TLS handshake showed. No certificate is ever trusted by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The version that was agreed on, such as `TLS 1.3`; `None` if none was.
    pub version: Option<SafeText<16>>,
    /// The protocol that was agreed on by ALPN (RFC 7301), such as `http/1.1`.
    pub alpn: Option<SafeText<32>>,
    /// The server's own certificate.
    pub certificate: Option<Certificate>,
    /// Why no version was agreed on, such as the alert that the server sent.
    pub refused: Option<SafeText<128>>,
}

/// What stands in a certificate (RFC 5280).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: SafeText<256>,
    /// Who signed it.
    pub issuer: SafeText<256>,
    /// The DNS names and addresses that it is for: the first [`MAX_CERTIFICATE_NAMES`] of them.
    pub names: Vec<SafeText<253>>,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// The SHA-256 of all of it, as DER.
    pub sha256: [u8; 32],
}

impl Service {
    /// The name that its answer shows; a name that only the port's number suggests is none.
    pub fn proven_name(&self) -> Option<&str> {
        self.name
            .as_ref()
            .filter(|name| name.source == NameSource::Probe)
            .map(|name| name.text.as_str())
    }

    /// The most telling text of what was answered: the software, a page's title, whom a certificate names, or
    /// the banner.
    pub fn description(&self) -> Option<&str> {
        let title = self.http.as_ref().and_then(|http| http.title.as_ref());
        let subject = self.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        None.or(self.product.as_ref().map(SafeText::as_str))
            .or(title.map(SafeText::as_str))
            .or(subject.map(|certificate| certificate.subject.as_str()))
            .or(self.banner.as_ref().map(SafeText::as_str))
            .filter(|text| !text.is_empty())
    }

    /// Whether it is something else than `before`: another name, software, web server or certificate. What only one
    /// of both has said proves nothing, and banners and titles change by themselves.
    pub fn is_another(&self, before: &Self) -> bool {
        fn differ<T: PartialEq>(before: Option<T>, after: Option<T>) -> bool {
            before
                .zip(after)
                .is_some_and(|(before, after)| before != after)
        }
        let server = |service: &Self| {
            let http = service.http.as_ref()?;
            http.server.as_ref().map(ToString::to_string)
        };
        let certificate = |service: &Self| {
            let tls = service.tls.as_ref()?;
            tls.certificate
                .as_ref()
                .map(|certificate| certificate.sha256)
        };
        differ(before.proven_name(), self.proven_name())
            || differ(before.product.as_ref(), self.product.as_ref())
            || differ(server(before), server(self))
            || differ(certificate(before), certificate(self))
    }

    /// How many bytes of text it holds, and some for what stands around each.
    pub fn weight(&self) -> usize {
        /// A field's name, quotes and comma.
        const AROUND: usize = 16;
        let mut lengths = vec![AROUND];
        lengths.extend(self.name.as_ref().map(|name| name.text.len() + AROUND));
        lengths.extend(self.product.as_ref().map(SafeText::len));
        lengths.extend(self.banner.as_ref().map(SafeText::len));
        if let Some(http) = &self.http {
            lengths.extend([AROUND]);
            lengths.extend(http.server.as_ref().map(SafeText::len));
            lengths.extend(http.title.as_ref().map(SafeText::len));
        }
        if let Some(tls) = &self.tls {
            lengths.extend(tls.version.as_ref().map(SafeText::len));
            lengths.extend(tls.alpn.as_ref().map(SafeText::len));
            lengths.extend(tls.refused.as_ref().map(SafeText::len));
            if let Some(certificate) = &tls.certificate {
                // Two times of 20 and a fingerprint of 64 characters.
                lengths.extend([104, certificate.subject.len(), certificate.issuer.len()]);
                lengths.extend(certificate.names.iter().map(SafeText::len));
            }
        }
        lengths.iter().map(|length| length + AROUND).sum()
    }

    /// The same with nothing but its name and software, for where there is no room.
    #[must_use]
    pub fn in_short(&self) -> Self {
        Self {
            name: self.name.clone(),
            product: self.product.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
