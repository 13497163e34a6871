//! IKE, both versions. The answer repeats the initiator's cookie or SPI.

use super::{Question, Token, question};

/// `IKE_SA_INIT` (RFC 7296 section 1.2).
pub(super) const V2: Question = question(v2, repeats_spi);
/// Main mode (RFC 2409 section 5).
pub(super) const V1: Question = question(v1, repeats_spi);
/// The same on port 4500, behind the marker that tells them from ESP (RFC 3948 section 2.2).
pub(super) const V2_MARKED: Question = question(|token| marked(&v2(token)), repeats_marked_spi);
pub(super) const V1_MARKED: Question = question(|token| marked(&v1(token)), repeats_marked_spi);

const MARKER: [u8; 4] = [0; 4];

fn marked(message: &[u8]) -> Vec<u8> {
    [&MARKER, message].concat()
}

/// RFC 7296 section 3.1, the same as RFC 2408 section 3.1.
fn message(token: Token, first: u8, version: u8, exchange: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(28 + body.len()).unwrap_or_default();
    [
        token.bytes::<8>().as_slice(),
        &[0; 8],
        &[first, version, exchange, flags],
        &[0; 4],
        &length.to_be_bytes(),
        body,
    ]
    .concat()
}

/// RFC 7296 section 3.2.
fn payload(next: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + body.len()).unwrap_or_default();
    [[next, 0].as_slice(), &length.to_be_bytes(), body].concat()
}

fn v2(token: Token) -> Vec<u8> {
    const SA: u8 = 33;
    const KEY_EXCHANGE: u8 = 34;
    const NONCE: u8 = 40;
    // AES-CBC with 256 bits, PRF HMAC-SHA-256, integrity HMAC-SHA-256-128, group 14 (sections 3.3.2 and 3.3.5).
    let transforms: [&[u8]; 4] = [
        &[3, 0, 0, 12, 1, 0, 0, 12, 0x80, 14, 1, 0],
        &[3, 0, 0, 8, 2, 0, 0, 5],
        &[3, 0, 0, 8, 3, 0, 0, 12],
        &[0, 0, 0, 8, 4, 0, 0, 14],
    ];
    let transforms = transforms.concat();
    let length = u16::try_from(8 + transforms.len()).unwrap_or_default();
    let proposal = [
        [0, 0].as_slice(),
        &length.to_be_bytes(),
        &[1, 1, 0, 4],
        &transforms,
    ]
    .concat();
    // A public value of group 14: any number but for the ends of the range will do, since no key is made from it.
    let public = [
        &[0, 14, 0, 0],
        token.bytes::<256>().map(|byte| byte & 0x7f).as_slice(),
    ]
    .concat();
    let body = [
        payload(KEY_EXCHANGE, &proposal),
        payload(NONCE, &public),
        payload(0, &token.bytes::<32>()),
    ]
    .concat();
    let initiator = 0x08;
    message(token, SA, 0x20, 34, initiator, &body)
}

fn v1(token: Token) -> Vec<u8> {
    const SA: u8 = 1;
    // Attributes of RFC 2409 appendix A: AES-CBC (RFC 3602) with 128 bits, SHA, pre-shared key, group 2, 28800 s.
    let attributes: [u16; 12] = [
        0x8001, 7, 0x800e, 128, 0x8002, 2, 0x8003, 1, 0x8004, 2, 0x800b, 1,
    ];
    let lifetime: [u16; 4] = [0x000c, 4, 0, 28_800];
    let attributes = [
        attributes.map(u16::to_be_bytes).concat(),
        lifetime.map(u16::to_be_bytes).concat(),
    ]
    .concat();
    // RFC 2408 sections 3.4 to 3.6: IPsec, identity only; one proposal for ISAKMP with one transform.
    let transform = payload(0, &[[1, 1, 0, 0].as_slice(), &attributes].concat());
    let proposal = payload(0, &[[1, 1, 0, 1].as_slice(), &transform].concat());
    let sa = payload(
        0,
        &[[0, 0, 0, 1, 0, 0, 0, 1].as_slice(), &proposal].concat(),
    );
    let main_mode = 2;
    message(token, SA, 0x10, main_mode, 0, &sa)
}

fn repeats_spi(token: Token, answer: &[u8]) -> bool {
    answer.len() >= 28 && answer.starts_with(&token.bytes::<8>())
}

fn repeats_marked_spi(token: Token, answer: &[u8]) -> bool {
    answer
        .strip_prefix(&MARKER)
        .is_some_and(|message| repeats_spi(token, message))
}
