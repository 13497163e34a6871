//! Certificates (RFC 5280), read without being trusted.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::snapshot::service::{Certificate, MAX_CERTIFICATE_NAMES, SafeText};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::time::ASN1Time;

/// Reads a certificate from its DER. `None` if it is none.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let validity = certificate.validity();
    Some(Certificate {
        subject: SafeText::new(&certificate.subject().to_string()),
        issuer: SafeText::new(&certificate.issuer().to_string()),
        names: names(&certificate),
        not_before: time(validity.not_before),
        not_after: time(validity.not_after),
        sha256: Sha256::digest(der).into(),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<SafeText<253>> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(SafeText::new(name)),
        GeneralName::IPAddress(bytes) => {
            let ip = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let ip = ip.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            Some(SafeText::new(&ip.ok()?.to_string()))
        }
        _ => None,
    });
    names.take(MAX_CERTIFICATE_NAMES).collect()
}

/// A time beyond what can be told, as "never expires" is written (99991231235959Z), is the last that can.
fn time(time: ASN1Time) -> Timestamp {
    let seconds = time.timestamp();
    let last = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn der(params: &CertificateParams) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn some() -> CertificateParams {
        let names = [
            "db1.example.org",
            "*.example.org",
            "198.18.0.1",
            "fd00:198:18::1",
        ];
        let mut params = CertificateParams::new(names.map(ToOwned::to_owned)).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "db1");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Evil\u{202e}\u{1b}[2J\nCo");
        params.not_before = date_time_ymd(2026, 1, 2);
        params.not_after = date_time_ymd(2027, 1, 2);
        params
    }

    #[test]
    fn it_is_read() {
        let bytes = der(&some());
        let read = read(&bytes).unwrap();
        let subject = "CN=db1, O=Evil\\u{202e}\\x1b[2J\\nCo";
        assert_eq!(read.subject.as_str(), subject);
        assert_eq!(read.issuer.as_str(), subject, "it signed itself");
        let names: Vec<_> = read.names.iter().map(SafeText::as_str).collect();
        assert_eq!(
            names,
            [
                "db1.example.org",
                "*.example.org",
                "198.18.0.1",
                "fd00:198:18::1"
            ]
        );
        assert_eq!(read.not_before.to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(read.not_after.to_string(), "2027-01-02T00:00:00Z");
        assert_eq!(read.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn there_is_an_end_to_everything() {
        let names: Vec<String> = (0..200).map(|n| format!("h{n}.example.org")).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "x".repeat(5000));
        params.not_after = date_time_ymd(9999, 12, 31);
        let read = read(&der(&params)).unwrap();
        assert_eq!(read.names.len(), MAX_CERTIFICATE_NAMES);
        assert_eq!(read.subject.len(), 256);
        assert!(read.not_after > Timestamp::MAX - jiff::SignedDuration::from_hours(48));
    }

    proptest! {
        #[test]
        fn garbage_is_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).is_none());
        }

        #[test]
        fn a_damaged_one_does_no_harm(at: prop::sample::Index, value: u8, cut: prop::sample::Index) {
            static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| der(&some()));
            let mut bytes = WHOLE.clone();
            *at.get_mut(&mut bytes) = value;
            let _ = read(&bytes);
            let _ = read(&bytes[..cut.index(bytes.len())]);
        }
    }
}
