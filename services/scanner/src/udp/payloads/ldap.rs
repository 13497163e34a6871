//! LDAP without a connection (RFC 1798, as directory servers still speak it; the messages are those of RFC 4511).

use super::ber::{self, INTEGER, OCTETS, SEQUENCE};
use super::{Question, Token, question};

/// The root entry, without attributes.
pub(super) const SEARCH: Question = question(search, repeats_message_id);

/// RFC 4511 section 4.5.1: base, scope and aliases, limits, types only, filter (objectClass present), attributes.
fn search(token: Token) -> Vec<u8> {
    const ENUMERATED: u8 = 0x0a;
    let request = ber::value(
        0x63,
        &[
            &ber::value(OCTETS, &[]),
            &[ENUMERATED, 1, 0, ENUMERATED, 1, 0],
            &[INTEGER, 1, 0, INTEGER, 1, 0],
            &[0x01, 1, 0],
            &ber::value(0x87, &[b"objectClass"]),
            // "1.1": no attributes (section 4.5.1.8).
            &ber::value(SEQUENCE, &[&ber::value(OCTETS, &[b"1.1"])]),
        ],
    );
    ber::value(SEQUENCE, &[&ber::number(token.positive()), &request])
}

fn repeats_message_id(token: Token, answer: &[u8]) -> bool {
    let id = ber::take(answer, SEQUENCE).and_then(|(message, _)| ber::take_number(message));
    id.is_some_and(|(id, _)| id == u64::from(token.positive()))
}
