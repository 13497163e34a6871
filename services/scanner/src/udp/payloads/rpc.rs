//! ONC RPC: the null procedure of the port mapper (RFC 5531, RFC 1833).

use super::{Question, Token, question};

/// Does nothing, and says so.
pub(super) const PORTMAP: Question = question(call, repeats_id);

const CALL: u32 = 0;
const REPLY: u32 = 1;

fn call(token: Token) -> Vec<u8> {
    let id = u32::from_be_bytes(token.bytes());
    let (rpc_version, program, version, procedure) = (2, 100_000, 2, 0);
    // Neither credentials nor a verifier: flavour 0, length 0, twice.
    [
        id,
        CALL,
        rpc_version,
        program,
        version,
        procedure,
        0,
        0,
        0,
        0,
    ]
    .map(u32::to_be_bytes)
    .concat()
}

fn repeats_id(token: Token, answer: &[u8]) -> bool {
    answer.starts_with(&token.bytes::<4>()) && answer.get(4..8) == Some(&REPLY.to_be_bytes())
}
