//! What is said to a port that does not speak first, and in which order things are tried.

use std::time::Duration;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// `GET /`.
    Http,
    /// These bytes.
    Bytes(&'static [u8]),
    /// A request for TLS within PostgreSQL, to which the answer is one letter.
    Postgres,
    /// A connection request of RDP, after which TLS may follow.
    Rdp,
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Wait for a greeting, then send this.
    Plain(Probe),
    /// TLS, and the same inside.
    Tls(Probe),
}

/// PostgreSQL's `SSLRequest`.
pub(super) const POSTGRES: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
/// TPKT, an X.224 connection request, and the wish for TLS or `CredSSP` (MS-RDPBCGR section 2.2.1.1).
pub(super) const RDP: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];
const AMQP: &[u8] = b"AMQP\x00\x00\x09\x01";
const REDIS: &[u8] = b"PING\r\n";
const MEMCACHED: &[u8] = b"version\r\n";
/// A search for what the server says of itself (RFC 4512 section 5.1), without a login.
const LDAP: &[u8] =
    b"\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\
    \x01\x01\x00\x87\x0bobjectClass\x30\x00";
/// CONNECT of MQTT 3.1.1 with a clean session and no name.
const MQTT: &[u8] = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
/// A question for `version.bind`, over TCP.
const DNS: &[u8] =
    b"\x00\x1epw\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03";

/// How long to wait for a greeting where one is usual: mail servers look up who calls before they speak.
const LONG: Duration = Duration::from_millis(2500);
/// Where one would be no surprise.
const MIDDLING: Duration = Duration::from_millis(800);
/// Where the caller is expected to speak first.
const SHORT: Duration = Duration::from_millis(100);

/// What is tried on a port, until something is told.
pub(super) fn attempts(port: u16) -> Vec<Attempt> {
    use Attempt::{Plain, Tls};
    let probe = probe(port);
    match port {
        // TLS from the first byte on: https, smtps, ldaps, dot, ftps, imaps, pop3s, sips, amqps, mqtts,
        // kubernetes, docker, winrm and their usual alternatives.
        443 | 465 | 636 | 853 | 990 | 993 | 995 | 2083 | 2087 | 2376 | 3269 | 4433 | 4443
        | 5061 | 5671 | 5986 | 6443 | 6697 | 8006 | 8443 | 8883 | 9443 | 10250 => {
            vec![Tls(probe), Plain(probe)]
        }
        // PostgreSQL hangs up on whatever it does not know, so it costs little to ask for it at last.
        _ if probe == Probe::Http => {
            vec![Plain(probe), Tls(probe), Plain(Probe::Postgres)]
        }
        _ => vec![Plain(probe), Plain(Probe::Http), Tls(Probe::Http)],
    }
}

fn probe(port: u16) -> Probe {
    match port {
        53 | 853 => Probe::Bytes(DNS),
        389 | 636 | 3268 | 3269 => Probe::Bytes(LDAP),
        1883 | 8883 => Probe::Bytes(MQTT),
        3389 => Probe::Rdp,
        5432 | 5433 | 6432 => Probe::Postgres,
        5671 | 5672 => Probe::Bytes(AMQP),
        6379 | 6380 | 26379 => Probe::Bytes(REDIS),
        11211 => Probe::Bytes(MEMCACHED),
        _ => Probe::Http,
    }
}

/// How long to wait for a greeting on a port.
pub(super) fn greeting(port: u16) -> Duration {
    match port {
        // ftp, ssh, telnet, smtp, pop3, nntp, imap, and the same inside TLS; mysql, vnc.
        21..=23
        | 25
        | 110
        | 119
        | 143
        | 465
        | 563
        | 587
        | 990
        | 993
        | 995
        | 2222
        | 2525
        | 3306
        | 4190
        | 5900..=5910 => LONG,
        80 | 81 | 443 | 3000 | 8000 | 8006 | 8080 | 8081 | 8443 | 8888 | 9090 | 9200 => SHORT,
        _ if probe(port) != Probe::Http => SHORT,
        _ => MIDDLING,
    }
}
