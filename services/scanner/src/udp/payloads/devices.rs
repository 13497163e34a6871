//! Management and discovery: RMCP, `BACnet`, XDMCP, the SQL Server browser.

use super::{Question, Token, question};

/// Presence ping (DMTF DSP0136, Alert Standard Format 2.0, section 3.2.4.2); the pong repeats the tag.
pub(super) const RMCP: Question = question(
    |token| {
        // RMCP 1.0, no acknowledgement wanted, ASF; its enterprise number; ping, tag, no data.
        [
            [6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80].as_slice(),
            &[tag(token), 0, 0],
        ]
        .concat()
    },
    |token, answer| {
        answer.len() >= 12 && answer[0] == 6 && answer[8] == 0x40 && answer[9] == tag(token)
    },
);
/// The name of the device (ANSI/ASHRAE 135, annex J and clause 15.5): object 4194303 stands for any device. An
/// error, a reject or an abort repeats the invoke id as the acknowledgement does.
pub(super) const BACNET: Question = question(bacnet, bacnet_answers);
/// Query without authentication (X Display Manager Control Protocol 1.1); willing, or unwilling.
pub(super) const XDMCP: Question = question(
    |_| vec![0, 1, 0, 2, 0, 1, 0],
    |_, answer| answer.starts_with(&[0, 1, 0, 5]) || answer.starts_with(&[0, 1, 0, 6]),
);
/// All instances (MC-SQLR section 2.2.2); the answer has its type and its length (section 2.2.5).
pub(super) const SQL_BROWSER: Question = question(
    |_| vec![3],
    |_, answer| {
        let length = answer.len().saturating_sub(3);
        answer.first() == Some(&5)
            && answer
                .get(1..3)
                .is_some_and(|told| usize::from(u16::from_le_bytes([told[0], told[1]])) == length)
    },
);

/// A tag of 255 would ask for no answer.
fn tag(token: Token) -> u8 {
    token.bytes::<1>()[0] & 0x7f
}

fn bacnet(token: Token) -> Vec<u8> {
    [
        // To this one device; network layer version 1, an answer is expected.
        [0x81, 0x0a, 0, 17, 1, 4].as_slice(),
        // A confirmed request, not in segments, answers up to 1476 bytes; read property 77.
        &[0, 5, tag(token), 12],
        &[0x0c, 2, 0x3f, 0xff, 0xff, 0x19, 77],
    ]
    .concat()
}

fn bacnet_answers(token: Token, answer: &[u8]) -> bool {
    // Without addresses of other networks, as a device on this one answers.
    let acknowledged_or_refused = [2, 3, 5, 6, 7];
    answer.len() >= 9
        && answer[..2] == [0x81, 0x0a]
        && answer[4] == 1
        && answer[5] & 0x28 == 0
        && acknowledged_or_refused.contains(&(answer[6] >> 4))
        && answer[7] == tag(token)
}
