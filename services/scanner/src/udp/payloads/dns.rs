//! The name services that share one header: DNS (RFC 1035), multicast DNS (RFC 6762), `NetBIOS` (RFC 1002).

use super::{Question, Token, question};

/// The name servers of the root, without recursion: a small question that asks nobody else.
pub(super) const QUERY: Question = question(|token| query(token, &[0], NS, IN), repeats_id);
/// Which services there are (RFC 6763 section 9), to be answered directly. To a source port that is not 5353 the
/// answer must repeat the id (RFC 6762 section 6.7).
pub(super) const MULTICAST: Question = question(
    |token| query(token, SERVICES, PTR, IN | UNICAST),
    repeats_id,
);
/// The node status of any name (RFC 1002 section 4.2.17).
pub(super) const NETBIOS: Question =
    question(|token| query(token, &wildcard(), NBSTAT, IN), repeats_id);

const NS: u16 = 2;
const PTR: u16 = 12;
const NBSTAT: u16 = 0x21;
const IN: u16 = 1;
/// RFC 6762 section 5.4.
const UNICAST: u16 = 0x8000;
const SERVICES: &[u8] = b"\x09_services\x07_dns-sd\x04_udp\x05local\0";

/// RFC 1035 section 4.1: header, name, type, class.
fn query(token: Token, name: &[u8], kind: u16, class: u16) -> Vec<u8> {
    let id: [u8; 2] = token.bytes();
    let flags_and_counts = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [
        &id,
        flags_and_counts.as_slice(),
        name,
        &kind.to_be_bytes(),
        &class.to_be_bytes(),
    ]
    .concat()
}

/// `*` filled up with zeros, half a byte a letter (RFC 1001 section 14.1).
fn wildcard() -> Vec<u8> {
    [b" CK".as_slice(), &[b'A'; 30], b"\0"].concat()
}

/// A response (the highest bit of the third byte) with our id.
fn repeats_id(token: Token, answer: &[u8]) -> bool {
    answer.len() >= 12 && answer[..2] == token.bytes::<2>() && answer[2] & 0x80 != 0
}
