//! `OpenVPN` and L2TP.

use super::{Question, Token, question};

/// The first packet of a client (`OpenVPN`'s wire protocol, section "Control channel"); the server's first
/// repeats our session id. With `tls-auth` or `tls-crypt` it answers nobody without the key.
pub(super) const OPENVPN: Question = question(openvpn, openvpn_answers);
/// The first message of a tunnel (RFC 2661 section 6.1); the answer goes to the tunnel id that we assign.
pub(super) const L2TP: Question = question(l2tp, l2tp_answers);

fn openvpn(token: Token) -> Vec<u8> {
    // A hard reset (7) under key 0; our session; acknowledges nothing; packet 0.
    [[7 << 3].as_slice(), &token.bytes::<8>(), &[0; 5]].concat()
}

fn openvpn_answers(token: Token, answer: &[u8]) -> bool {
    // A hard reset of the server (8); its session; what it acknowledges, and of which session.
    let Some(&acknowledged) = answer.get(9) else {
        return false;
    };
    let session = 10 + 4 * usize::from(acknowledged);
    answer[0] >> 3 == 8
        && acknowledged > 0
        && answer.get(session..session + 8) == Some(&token.bytes::<8>())
}

/// Our tunnel id, which is not 0.
fn tunnel(token: Token) -> [u8; 2] {
    let [high, low] = token.bytes();
    [high | 0x80, low]
}

fn l2tp(token: Token) -> Vec<u8> {
    // Section 4.4: a mandatory attribute of the standard, its type, its value.
    let attribute = |kind: u8, value: &[u8]| {
        let length = u8::try_from(6 + value.len()).unwrap_or_default();
        [[0x80, length, 0, 0, 0, kind].as_slice(), value].concat()
    };
    let attributes = [
        attribute(0, &[0, 1]),
        attribute(2, &[1, 0]),
        attribute(3, &[0, 0, 0, 3]),
        attribute(7, b"portwatch"),
        attribute(9, &tunnel(token)),
    ]
    .concat();
    let length = u16::try_from(12 + attributes.len()).unwrap_or_default();
    // A control message with length and sequence numbers, version 2; no tunnel, no session, both numbers 0.
    [
        [0xc8, 0x02].as_slice(),
        &length.to_be_bytes(),
        &[0; 8],
        &attributes,
    ]
    .concat()
}

fn l2tp_answers(token: Token, answer: &[u8]) -> bool {
    answer.len() >= 12
        && answer[0] & 0x80 != 0
        && answer[1] & 0x0f == 2
        && answer[4..6] == tunnel(token)
}
