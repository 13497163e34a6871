//! What listens on a port: a `service`, and one `script` with what does not fit there. Not more than one:
//! ndiff 7.93 fails on ports that have several.

use std::io::{self, Write};

use portwatch_domain::ports::service_name;
use portwatch_domain::snapshot::service::{Certificate, SafeText};

use super::super::super::seen::Row;
use super::super::service_json::hexadecimal;
use super::escape::escaped;

/// How sure nmap is of a name that its tables have for the port's number, out of 10.
const BY_NUMBER: u8 = 3;
/// How sure it is of a name that an answer shows.
const BY_ANSWER: u8 = 10;

/// Writes them, if there is anything to say.
pub fn write(out: &mut impl Write, row: &Row<'_>) -> io::Result<()> {
    let usual = service_name(row.port);
    let Some(service) = row.service else {
        return usual.map_or(Ok(()), |name| {
            let name = escaped(name);
            write!(
                out,
                "<service name=\"{name}\" method=\"table\" conf=\"{BY_NUMBER}\"/>"
            )
        });
    };
    let proven = service.proven_name();
    let (method, conf) = match proven {
        Some(_) => ("probed", BY_ANSWER),
        None => ("table", BY_NUMBER),
    };
    let name = escaped(proven.or(usual).unwrap_or("unknown"));
    write!(out, "<service name=\"{name}\"")?;
    let http = service.http.as_ref();
    let server = http.and_then(|http| http.server.as_ref());
    if let Some(product) = service.product.as_ref().or(server) {
        write!(out, " product=\"{}\"", escaped(product.as_str()))?;
    }
    if let Some(title) = http.and_then(|http| http.title.as_ref()) {
        write!(out, " extrainfo=\"{}\"", escaped(title.as_str()))?;
    }
    if service.tls.is_some() {
        write!(out, " tunnel=\"ssl\"")?;
    }
    write!(out, " method=\"{method}\" conf=\"{conf}\"/>")?;
    let tls = service.tls.as_ref();
    match (
        tls.and_then(|tls| tls.certificate.as_ref()),
        &service.banner,
    ) {
        (Some(certificate), _) => script(out, "ssl-cert", &certificate_text(certificate)),
        (None, Some(banner)) => script(out, "banner", banner.as_str()),
        (None, None) => Ok(()),
    }
}

fn certificate_text(certificate: &Certificate) -> String {
    let names: Vec<&str> = certificate.names.iter().map(SafeText::as_str).collect();
    format!(
        "Subject: {}\nSubject Alternative Name: {}\nIssuer: {}\nNot valid before: {}\nNot valid after:  {}\nSHA-256: {}",
        certificate.subject.as_str(),
        names.join(", "),
        certificate.issuer.as_str(),
        certificate.not_before,
        certificate.not_after,
        hexadecimal(&certificate.sha256),
    )
}

fn script(out: &mut impl Write, id: &str, output: &str) -> io::Result<()> {
    write!(out, "<script id=\"{id}\" output=\"{}\"/>", escaped(output))
}
