//! QUIC and DTLS.

use super::{Question, Token, question};

/// A version that no server has, so that it says which it has (RFC 9000 sections 6 and 15; RFC 8999).
pub(super) const QUIC: Question = question(quic, quic_answers);
/// A DTLS 1.2 hello without a cookie, which is answered with a request to prove our address (RFC 6347 section
/// 4.2.1) or with an alert. Neither repeats anything.
pub(super) const DTLS: Question = question(dtls, dtls_answers);

/// Smaller first datagrams are dropped (RFC 9000 section 14.1).
const QUIC_DATAGRAM: usize = 1200;

/// Our connection ids: the one the server answers to, and the one it takes for its own.
fn connection_ids(token: Token) -> [[u8; 8]; 2] {
    [token.bytes(), Token(!token.0).bytes()]
}

fn quic(token: Token) -> Vec<u8> {
    let [ours, theirs] = connection_ids(token);
    let mut datagram = [
        [0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8].as_slice(),
        &theirs,
        &[8],
        &ours,
    ]
    .concat();
    datagram.resize(QUIC_DATAGRAM, 0);
    datagram
}

/// Version negotiation: version 0, and both ids the other way round (RFC 8999 section 6).
fn quic_answers(token: Token, answer: &[u8]) -> bool {
    let [ours, theirs] = connection_ids(token);
    let expected = [[0, 0, 0, 0, 8].as_slice(), &ours, &[8], &theirs].concat();
    answer.len() > expected.len() && answer[0] & 0x80 != 0 && answer[1..].starts_with(&expected)
}

fn dtls(token: Token) -> Vec<u8> {
    let random = [token.bytes::<16>(), Token(!token.0).bytes()].concat();
    let suites: [u16; 6] = [0xc02b, 0xc02f, 0xc009, 0xc013, 0x009c, 0xc0a8];
    let suites = suites.map(u16::to_be_bytes).concat();
    // The curves and the signatures for them (RFC 8422 section 5.1, RFC 5246 section 7.4.1.4.1).
    let extensions: [&[u8]; 3] = [
        &[0, 10, 0, 6, 0, 4, 0, 29, 0, 23],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 8, 0, 6, 4, 3, 4, 1, 8, 4],
    ];
    let extensions = extensions.concat();
    // Version, random, neither session nor cookie, cipher suites, no compression, extensions.
    let hello = [
        [0xfe, 0xfd].as_slice(),
        &random,
        &[0, 0],
        &length(&suites),
        &suites,
        &[1, 0],
        &length(&extensions),
        &extensions,
    ]
    .concat();
    let [high, low] = length(&hello);
    // Client hello, whole, the first message, in one fragment (RFC 6347 section 4.2.2).
    let handshake = [
        [1, 0, high, low, 0, 0, 0, 0, 0, 0, high, low].as_slice(),
        &hello,
    ]
    .concat();
    // A handshake record, in the version of the very first, epoch 0, number 0 (section 4.1).
    [
        [22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0].as_slice(),
        &length(&handshake),
        &handshake,
    ]
    .concat()
}

fn dtls_answers(_: Token, answer: &[u8]) -> bool {
    let alert_or_handshake = [21, 22];
    answer.len() > 13 && alert_or_handshake.contains(&answer[0]) && answer[1] == 0xfe
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes()
}
