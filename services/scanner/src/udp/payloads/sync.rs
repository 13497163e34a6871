//! Protocols with a short binary header that the answer repeats: NTP, STUN, `CoAP`, RADIUS.

use super::{Question, Token, question};

/// RFC 5905: the answer repeats our transmit timestamp as its origin timestamp.
pub(super) const NTP: Question = question(ntp, ntp_answers);
/// RFC 8489: the answer repeats the transaction id.
pub(super) const STUN: Question = question(stun, stun_answers);
/// RFC 7252: the answer repeats the message id or the token.
pub(super) const COAP: Question = question(coap, coap_answers);
/// RFC 2865: the answer repeats the identifier. A server answers only clients that it knows.
pub(super) const RADIUS: Question = question(radius, radius_answers);

fn ntp(token: Token) -> Vec<u8> {
    // No warning, version 4, client (section 7.3).
    let mut packet = vec![0; 48];
    packet[0] = 0b00_100_011;
    packet[40..].copy_from_slice(&token.bytes::<8>());
    packet
}

fn ntp_answers(token: Token, answer: &[u8]) -> bool {
    const SERVER: u8 = 4;
    answer.len() >= 48 && answer[0] & 7 == SERVER && answer[24..32] == token.bytes::<8>()
}

/// The magic cookie (section 5).
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

fn stun(token: Token) -> Vec<u8> {
    let binding_request_without_attributes = [0, 1, 0, 0];
    [
        binding_request_without_attributes.as_slice(),
        &STUN_COOKIE,
        &token.bytes::<12>(),
    ]
    .concat()
}

fn stun_answers(token: Token, answer: &[u8]) -> bool {
    let success_or_error = [[1, 1], [1, 0x11]];
    answer.len() >= 20
        && success_or_error.contains(&[answer[0], answer[1]])
        && answer[4..8] == STUN_COOKIE
        && answer[8..20] == token.bytes::<12>()
}

fn coap(token: Token) -> Vec<u8> {
    // Version 1, confirmable, a token of eight bytes; GET; then the path (section 5.10.1).
    [
        [0x48, 0x01].as_slice(),
        &token.bytes::<2>(),
        &token.bytes::<8>(),
        b"\xbb.well-known\x04core",
    ]
    .concat()
}

fn coap_answers(token: Token, answer: &[u8]) -> bool {
    const ACKNOWLEDGEMENT: u8 = 2;
    // Nothing, or a response of class 2, 4 or 5 (section 5.9); of version 1.
    let is_request = answer.get(1).is_none_or(|code| (1..0x40).contains(code));
    if answer.len() < 4 || answer[0] >> 6 != 1 || is_request {
        return false;
    }
    let kind = (answer[0] >> 4) & 3;
    let length = usize::from(answer[0] & 15);
    let repeats_token = length == 8 && answer.get(4..12) == Some(&token.bytes::<8>());
    let repeats_id = answer[2..4] == token.bytes::<2>();
    // An acknowledgement or a reset belongs to the message id, a response of its own to the token.
    if kind >= ACKNOWLEDGEMENT {
        repeats_id && (length == 0 || repeats_token)
    } else {
        repeats_token
    }
}

fn radius(token: Token) -> Vec<u8> {
    const ACCESS_REQUEST: u8 = 1;
    // User-Name "portwatch" (section 5.1), NAS-Identifier the same (section 5.32).
    let attributes = [b"\x01\x0bportwatch".as_slice(), b"\x20\x0bportwatch"].concat();
    let length = u16::try_from(20 + attributes.len()).unwrap_or_default();
    [
        [ACCESS_REQUEST, token.bytes::<1>()[0]].as_slice(),
        &length.to_be_bytes(),
        &token.bytes::<16>(),
        &attributes,
    ]
    .concat()
}

fn radius_answers(token: Token, answer: &[u8]) -> bool {
    let accept_reject_challenge = [2, 3, 11];
    answer.len() >= 20
        && accept_reject_challenge.contains(&answer[0])
        && answer[1] == token.bytes::<1>()[0]
}
