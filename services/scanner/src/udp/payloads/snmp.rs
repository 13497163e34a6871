//! SNMP: `sysDescr` under the community "public", and the discovery of version 3, which needs no secret.

use super::ber::{self, OCTETS, SEQUENCE};
use super::{Question, Token, question};

/// RFC 1157.
pub(super) const V1: Question = question(|token| get(0, token), repeats_request_id);
/// RFC 3416.
pub(super) const V2C: Question = question(|token| get(1, token), repeats_request_id);
/// RFC 3414 section 4: a request without an engine's name is answered with a report that names it.
pub(super) const V3: Question = question(discovery, repeats_message_id);

/// A request without the one object that it asks for (RFC 1157 section 4.1.2).
const GET_REQUEST: u8 = 0xa0;
const NULL: [u8; 2] = [0x05, 0];
const ZERO: [u8; 3] = [ber::INTEGER, 1, 0];
/// 1.3.6.1.2.1.1.1.0.
const SYS_DESCR: [u8; 10] = [0x06, 8, 0x2b, 6, 1, 2, 1, 1, 1, 0];

fn get(version: u8, token: Token) -> Vec<u8> {
    let binding = ber::value(SEQUENCE, &[&SYS_DESCR, &NULL]);
    ber::value(
        SEQUENCE,
        &[
            &[ber::INTEGER, 1, version],
            &ber::value(OCTETS, &[b"public"]),
            &request(token, &ber::value(SEQUENCE, &[&binding])),
        ],
    )
}

fn request(token: Token, bindings: &[u8]) -> Vec<u8> {
    ber::value(
        GET_REQUEST,
        &[&ber::number(token.positive()), &ZERO, &ZERO, bindings],
    )
}

fn discovery(token: Token) -> Vec<u8> {
    let nothing = ber::value(OCTETS, &[]);
    // RFC 3412 section 6: message id, largest message, flags (reportable), security model (user-based).
    let header = ber::value(
        SEQUENCE,
        &[
            &ber::number(token.positive()),
            &ber::number(0x7fff_ffff),
            &ber::value(OCTETS, &[&[0x04]]),
            &[ber::INTEGER, 1, 3],
        ],
    );
    // RFC 3414 section 2.4: engine, its boots and time, user, and two parameters.
    let security = ber::value(
        SEQUENCE,
        &[&nothing, &ZERO, &ZERO, &nothing, &nothing, &nothing],
    );
    let no_bindings = ber::value(SEQUENCE, &[]);
    let scoped = ber::value(
        SEQUENCE,
        &[&nothing, &nothing, &request(token, &no_bindings)],
    );
    ber::value(
        SEQUENCE,
        &[
            &[ber::INTEGER, 1, 3],
            &header,
            &ber::value(OCTETS, &[&security]),
            &scoped,
        ],
    )
}

fn repeats_request_id(token: Token, answer: &[u8]) -> bool {
    let request_id = || {
        let (message, _) = ber::take(answer, SEQUENCE)?;
        let (_version, rest) = ber::take_number(message)?;
        let (_community, rest) = ber::take(rest, OCTETS)?;
        // A response (RFC 1157 section 4.1.1).
        let (response, _) = ber::take(rest, 0xa2)?;
        Some(ber::take_number(response)?.0)
    };
    request_id() == Some(u64::from(token.positive()))
}

fn repeats_message_id(token: Token, answer: &[u8]) -> bool {
    let message_id = || {
        let (message, _) = ber::take(answer, SEQUENCE)?;
        let (_version, rest) = ber::take_number(message)?;
        let (header, _) = ber::take(rest, SEQUENCE)?;
        Some(ber::take_number(header)?.0)
    };
    message_id() == Some(u64::from(token.positive()))
}
