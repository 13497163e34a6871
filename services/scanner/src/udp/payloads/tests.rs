//! Each question against an answer as a server of its protocol gives it, and against answers to others.

use super::*;

const TOKEN: Token = Token(0x0123_4567_89ab_cdef);
const OTHER: Token = Token(0xfedc_ba98_7654_3210);

/// An answer to the question of this attempt on this port, made from the question.
fn answer(port: u16, attempt: u16, token: Token) -> Option<Vec<u8>> {
    let question = datagram(port, attempt, token);
    let echoed = |start: &[u8], range: std::ops::Range<usize>, end: &[u8]| {
        Some([start, &question[range], end].concat())
    };
    match (port, attempt) {
        (53 | 137 | 5353, _) => echoed(&[], 0..2, &[0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        (69, _) => Some(b"\0\x05\0\x01File not found\0".to_vec()),
        (111, _) => echoed(&[], 0..4, &[0, 0, 0, 1, 0, 0, 0, 0]),
        (123, _) => echoed(&[[0x24, 1].as_slice(), &[0; 22]].concat(), 40..48, &[0; 16]),
        (161, 0 | 2) => Some(as_response(question)),
        (161 | 389, _) => Some(question),
        (177, _) => Some(vec![0, 1, 0, 5, 0, 0]),
        (443, 0) => {
            let [ours, theirs] = [&question[15..23], &question[6..14]];
            let versions = [0, 0, 0, 1];
            Some([&[0x80, 0, 0, 0, 0, 8], ours, &[8], theirs, &versions].concat())
        }
        (443 | 4433 | 5684, _) => Some([[21, 0xfe, 0xfd].as_slice(), &[0; 12]].concat()),
        (500, _) => echoed(&[], 0..8, &[1; 20]),
        (4500, _) => echoed(&[], 0..12, &[1; 20]),
        (623, _) => Some(vec![
            6,
            0,
            0xff,
            6,
            0,
            0,
            0x11,
            0xbe,
            0x40,
            question[9],
            0,
            16,
        ]),
        (1194, _) => echoed(
            &[[0x40].as_slice(), &[7; 8], &[1, 0, 0, 0, 0]].concat(),
            1..9,
            &[0; 4],
        ),
        (1434, _) => Some(vec![5, 2, 0, b'a', b'b']),
        (1645 | 1812, _) => Some([[3, question[1]].as_slice(), &[0; 18]].concat()),
        (1701, _) => {
            // Stop, to the tunnel that the last attribute assigned.
            let tunnel = &question[question.len() - 2..];
            Some([&[0xc8, 2, 0, 12], tunnel, &[0; 6]].concat())
        }
        (1900, _) => Some(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        (3478, _) => echoed(&[1, 1, 0, 0], 4..20, &[]),
        (5060, _) => {
            let text = String::from_utf8(question).ok()?;
            let via = text.lines().find(|line| line.starts_with("Via"))?;
            Some(format!("SIP/2.0 404 Not Found\r\n{via}\r\n\r\n").into_bytes())
        }
        (5683, _) => echoed(&[0x68, 0x45], 2..12, &[0xff, b'<']),
        (11_211, _) => echoed(&[], 0..8, b"VERSION 1.6.18\r\n"),
        (47_808, _) => Some(vec![0x81, 0x0a, 0, 9, 1, 0, 0x50, question[8], 12]),
        _ => None,
    }
}

/// The same SNMP message as a response.
fn as_response(mut request: Vec<u8>) -> Vec<u8> {
    if let Some(kind) = request.iter_mut().find(|byte| **byte == 0xa0) {
        *kind = 0xa2;
    }
    request
}

const USUAL: [u16; 25] = [
    53, 69, 111, 123, 137, 161, 177, 389, 443, 500, 623, 1194, 1434, 1645, 1701, 1812, 1900, 3478,
    4433, 4500, 5060, 5353, 5683, 11_211, 47_808,
];
/// Their answers repeat nothing of the question, or no more than a byte.
const REPEAT_NOTHING: [u16; 7] = [69, 177, 1434, 1900, 4433, 5684, 443];

#[test]
fn a_servers_answer_proves_itself() {
    for port in USUAL {
        for attempt in 0..3 {
            let answer = answer(
                port,
                attempt % u16::try_from(questions(port).len()).unwrap_or(1),
                TOKEN,
            );
            let answer = answer.unwrap_or_default();
            assert!(
                proves(port, attempt, TOKEN, &answer),
                "{port}, attempt {attempt}"
            );
        }
    }
}

#[test]
fn an_answer_to_somebody_else_proves_nothing() {
    for port in USUAL {
        let answer = answer(port, 0, OTHER).unwrap_or_default();
        let repeats = !REPEAT_NOTHING.contains(&port) || port == 443;
        assert_eq!(proves(port, 0, TOKEN, &answer), !repeats, "{port}");
    }
}

#[test]
fn neither_nothing_nor_the_question_itself_is_an_answer_to_a_usual_port() {
    for port in USUAL {
        for attempt in 0..3 {
            assert!(!proves(port, attempt, TOKEN, b""), "{port}");
            // The answers to these differ from the questions in what nobody looks at.
            let is_like_it = [161, 389, 443, 500, 4433, 4500, 11_211].contains(&port);
            let echo = datagram(port, attempt, TOKEN);
            assert!(
                is_like_it || !proves(port, attempt, TOKEN, &echo),
                "{port}, attempt {attempt}"
            );
        }
    }
}

#[test]
fn other_ports_get_an_empty_datagram_then_line_ends() {
    assert_eq!(datagram(9999, 0, TOKEN), b"");
    assert_eq!(datagram(9999, 1, TOKEN), b"\r\n\r\n");
    assert!(proves(9999, 0, TOKEN, b""));
    for silent in [514, 51_820] {
        assert_eq!(datagram(silent, 1, TOKEN), b"");
    }
}

#[test]
fn questions_are_as_their_specifications_write_them() {
    let token = Token(0x4142_4344_4546_4748);
    assert_eq!(
        datagram(53, 0, token),
        b"AB\0\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01"
    );
    assert_eq!(
        datagram(161, 0, token),
        b"\x30\x29\x02\x01\x01\x04\x06public\xa0\x1c\x02\x04ABCD\x02\x01\0\x02\x01\0\
          \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\0\x05\0"
    );
    assert_eq!(
        datagram(3478, 0, token),
        b"\0\x01\0\0\x21\x12\xa4\x42ABCDEFGHABCD"
    );
    assert_eq!(datagram(443, 0, token).len(), 1200);
    assert_eq!(datagram(47_808, 0, token).len(), 17);
    for (port, attempt) in [(500, 0), (500, 1)] {
        let message = datagram(port, attempt, token);
        let told = message.get(24..28).and_then(|told| told.try_into().ok());
        let length = u32::try_from(message.len()).ok();
        assert_eq!(told.map(u32::from_be_bytes), length, "{port}, {attempt}");
        assert_eq!(
            datagram(4500, attempt, token),
            [&[0; 4], message.as_slice()].concat()
        );
    }
}
