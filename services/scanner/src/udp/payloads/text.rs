//! Protocols in words: SIP, SSDP, memcached, TFTP.

use super::{Question, Token, question};

/// RFC 3261 section 11; the answer repeats the branch of our Via (section 8.2.6.2) and comes to our port (RFC 3581).
pub(super) const SIP: Question = question(sip, |token, answer| {
    answer.starts_with(b"SIP/2.0 ") && contains(answer, token.hex().as_bytes())
});
/// `UPnP` Device Architecture 2.0, section 1.3.2, to one device alone. Nothing of it is repeated.
pub(super) const SSDP: Question = question(
    |_| SSDP_SEARCH.to_vec(),
    |_, answer| answer.starts_with(b"HTTP/1."),
);
/// memcached's `protocol.txt`, section "UDP protocol": the answer repeats the request id.
pub(super) const MEMCACHED: Question = question(
    |token| {
        let number_0_of_1 = [0, 0, 0, 1, 0, 0];
        [
            &token.bytes::<2>(),
            number_0_of_1.as_slice(),
            b"version\r\n",
        ]
        .concat()
    },
    |token, answer| answer.len() > 8 && answer[..2] == token.bytes::<2>(),
);
/// RFC 1350: a file that does not exist. The answer, most often an error, repeats nothing.
pub(super) const TFTP: Question = question(
    |token| [b"\0\x01", token.hex().as_bytes(), b"\0octet\0"].concat(),
    // Data (its first block), an error, or agreed options (RFC 2347).
    |_, answer| {
        let starts: [&[u8]; 3] = [&[0, 3, 0, 1], &[0, 5], &[0, 6]];
        answer.len() >= 4 && starts.iter().any(|start| answer.starts_with(start))
    },
);

const SSDP_SEARCH: &[u8] = b"M-SEARCH * HTTP/1.1\r\n\
    HOST: 239.255.255.250:1900\r\n\
    MAN: \"ssdp:discover\"\r\n\
    MX: 1\r\n\
    ST: ssdp:all\r\n\r\n";

fn sip(token: Token) -> Vec<u8> {
    let id = token.hex();
    // The name stands for nobody (RFC 2606).
    format!(
        "OPTIONS sip:ping@portwatch.invalid SIP/2.0\r\n\
         Via: SIP/2.0/UDP portwatch.invalid;branch=z9hG4bK{id};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:ping@portwatch.invalid>;tag={id}\r\n\
         To: <sip:ping@portwatch.invalid>\r\n\
         Call-ID: {id}@portwatch.invalid\r\n\
         CSeq: 1 OPTIONS\r\n\
         Contact: <sip:ping@portwatch.invalid>\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
