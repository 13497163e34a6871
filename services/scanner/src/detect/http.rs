//! `GET /` (RFC 9112), and what is told of the answer.

mod title;

use std::net::IpAddr;

use portwatch_domain::snapshot::service::{Http, SafeText};

use title::title;

/// The most that is read of an answer, head and body together.
pub(super) const MOST: usize = 16 * 1024;

/// An answer, cut into what is looked at.
#[derive(Debug)]
pub(super) struct Page {
    /// What is told of it.
    pub(super) http: Http,
    /// The head, and the body as far as it was read.
    head: Vec<u8>,
    body: Vec<u8>,
}

/// Servers of TLS that were greeted without it say so in these words: nginx, Go, Apache, Jetty and Tomcat.
const WANTS_TLS: [&[u8]; 4] = [
    b"plain HTTP request was sent to HTTPS port",
    b"HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
    b"This combination of host and port requires TLS",
];

/// Names of what speaks HTTP and is more than that, by what only it says: in its head, or in its body.
const APPLICATIONS: [(&str, &[u8]); 17] = [
    ("elasticsearch", b"\"You Know, for Search\""),
    ("opensearch", b"\"The OpenSearch Project"),
    (
        "mongodb",
        b"It looks like you are trying to access MongoDB over HTTP",
    ),
    ("haproxy-stats", b"Statistics Report for HAProxy"),
    ("rabbitmq-management", b"<title>RabbitMQ Management</title>"),
    ("prometheus", b"<title>Prometheus Time Series"),
    ("grafana", b"<title>Grafana</title>"),
    ("couchdb", b"{\"couchdb\":\"Welcome\""),
    ("kibana", b"\r\nkbn-name:"),
    ("jenkins", b"\r\nx-jenkins:"),
    ("influxdb", b"\r\nx-influxdb-version:"),
    ("clickhouse", b"\r\nx-clickhouse-"),
    ("kubernetes", b"\r\nx-kubernetes-pf-"),
    ("docker", b"\r\nserver: docker/"),
    ("minio", b"\r\nserver: minio"),
    ("ipp", b"\r\nserver: cups/"),
    ("rtsp", b"rtsp/1.0 "),
];

/// What stands in the Host header (RFC 9110 section 7.2): the name, or else the address, with the port where it is
/// not the usual one.
pub(super) fn host(name: Option<&str>, ip: IpAddr, port: u16, is_inside_tls: bool) -> String {
    let host = match (name, ip) {
        (Some(name), _) => name.to_owned(),
        (None, IpAddr::V4(ip)) => ip.to_string(),
        (None, IpAddr::V6(ip)) => format!("[{ip}]"),
    };
    match (port, is_inside_tls) {
        (80, false) | (443, true) => host,
        (port, _) => format!("{host}:{port}"),
    }
}

/// The request. `host` is what stands in the Host header.
pub(super) fn request(host: &str) -> Vec<u8> {
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: portwatch\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// Whether nothing more is needed: the title is there, or all of the body by its own account.
pub(super) fn is_whole(said: &[u8]) -> bool {
    let Some((head, body)) = cut(said) else {
        return false;
    };
    if find(body, b"</title").is_some() {
        return true;
    }
    if header(head, "transfer-encoding").is_some() {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = header(head, "content-length").and_then(|value| {
        let digits = std::str::from_utf8(value).ok()?;
        digits.parse::<usize>().ok()
    });
    length.is_some_and(|length| body.len() >= length)
}

/// Reads an answer. `None` if it is none of HTTP.
pub(super) fn parse(said: &[u8]) -> Option<Page> {
    let version = said.strip_prefix(b"HTTP/")?;
    let space = version.iter().take(4).position(|&byte| byte == b' ')?;
    let digits = std::str::from_utf8(version.get(space + 1..space + 4)?).ok()?;
    let status: u16 = digits.parse().ok().filter(|code| *code >= 100)?;
    let (head, body) = cut(said).unwrap_or((said, b""));
    let is_chunked = header(head, "transfer-encoding").is_some();
    let body = if is_chunked {
        unchunked(body)
    } else {
        body.to_vec()
    };
    Some(Page {
        http: Http {
            status,
            server: header(head, "server").and_then(SafeText::trimmed),
            title: title(&body),
        },
        head: head.to_vec(),
        body,
    })
}

impl Page {
    /// What it is beside HTTP, if it says so.
    pub(super) fn application(&self) -> Option<&'static str> {
        let says = |needle: &&(&str, &[u8])| {
            find(&self.head, needle.1).is_some() || find(&self.body, needle.1).is_some()
        };
        APPLICATIONS.iter().find(says).map(|&(name, _)| name)
    }

    /// Whether it asks to be spoken to in TLS.
    pub(super) fn wants_tls(&self) -> bool {
        let says = |needle: &&[u8]| find(&self.body, needle).is_some();
        self.http.status == 400 && WANTS_TLS.iter().any(says)
    }
}

/// The head, up to its last line end, and the body.
fn cut(said: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = find(said, b"\r\n\r\n")?;
    Some((&said[..end + 2], &said[end + 4..]))
}

/// Where a text begins, whatever the case of its letters.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window.eq_ignore_ascii_case(wanted))
}

/// The first header of that name, in lower case.
fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let is_it = line[..colon].eq_ignore_ascii_case(name.as_bytes());
        is_it.then(|| line[colon + 1..].trim_ascii())
    })
}

/// The chunks of a body (RFC 9112 section 7.1) put together, as far as they are right.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = find(body, b"\r\n") {
        let size = body[..end].split(|&byte| byte == b';').next();
        let size = size.and_then(|size| std::str::from_utf8(size.trim_ascii()).ok());
        let Some(size) = size.and_then(|size| usize::from_str_radix(size, 16).ok()) else {
            break;
        };
        body = &body[end + 2..];
        let taken = size.min(body.len());
        whole.extend_from_slice(&body[..taken]);
        body = body.get(taken + 2..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    whole
}

#[cfg(test)]
mod tests;
