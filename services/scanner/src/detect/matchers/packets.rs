//! Protocols in packets.

use std::borrow::Cow;

use super::{Match, contains, find};

/// Recognises a packet.
pub(super) fn packet(said: &[u8]) -> Option<Match<'_>> {
    let found = |name, product: Option<Cow<'static, [u8]>>| Match {
        name,
        product,
        is_text: false,
    };
    if let Some(product) = mysql(said) {
        return Some(found("mysql", product));
    }
    if let Some(product) = amqp(said) {
        return Some(found("amqp", product));
    }
    let name = match said {
        // TPKT (RFC 1006) with a connection confirm (X.224).
        [3, 0, 0, _, _, 0xd0, ..] => "rdp",
        // CONNACK (MQTT 3.1.1 section 3.2): nothing else has four bytes like these.
        [0x20, 2, 0..=1, 0..=5] => "mqtt",
        // Options (RFC 854): IAC and WILL, WON'T, DO or DON'T.
        [0xff, 0xfb..=0xfe, _, ..] => "telnet",
        // An answer to the question of ours with this id (RFC 1035 section 4.2.2).
        [_, _, b'p', b'w', flags, _, 0, 1, ..] if flags & 0x80 != 0 => "domain",
        _ if is_ldap(said) => "ldap",
        _ => return None,
    };
    Some(found(name, None))
}

/// The first packet of a server of `MySQL`: its handshake, version 10, or why it will not.
#[expect(
    clippy::option_option,
    reason = "it is MySQL, and it names its version: two questions"
)]
fn mysql(said: &[u8]) -> Option<Option<Cow<'static, [u8]>>> {
    let (&[low, middle, high, 0], packet) = said.split_first_chunk::<4>()? else {
        return None;
    };
    let length = u32::from_le_bytes([low, middle, high, 0]);
    if usize::try_from(length).ok()? != packet.len() {
        return None;
    }
    match packet.split_first()? {
        (10, rest) => {
            let end = rest.iter().position(|&byte| byte == 0)?;
            let version = &rest[..end];
            let is_version = version.first().is_some_and(u8::is_ascii_digit);
            let maker: &[u8] = if contains(version, b"MariaDB") {
                b"MariaDB "
            } else {
                b"MySQL "
            };
            is_version.then(|| Some([maker, version].concat().into()))
        }
        (0xff, rest) if contains(rest, b"MySQL") || contains(rest, b"MariaDB") => Some(None),
        _ => None,
    }
}

/// The start of an AMQP 0-9-1 connection, or the version that is spoken instead.
#[expect(
    clippy::option_option,
    reason = "it is AMQP, and it names its software: two questions"
)]
fn amqp(said: &[u8]) -> Option<Option<Cow<'static, [u8]>>> {
    if said.len() == 8 && said.starts_with(b"AMQP") {
        return Some(None);
    }
    // A method frame on channel 0, its length, and connection.start.
    let [1, 0, 0, _, _, _, _, 0, 10, 0, 10, properties @ ..] = said else {
        return None;
    };
    let field = |name: &[u8]| {
        let key = [name, b"S"].concat();
        let at = find(properties, &key)? + key.len();
        let (length, rest) = properties.get(at..)?.split_first_chunk::<4>()?;
        rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
    };
    let product = field(b"\x07product").map(|product| {
        let version = field(b"\x07version").unwrap_or_default();
        [product, b" ", version].concat().trim_ascii().to_vec()
    });
    Some(product.map(Cow::Owned))
}

/// An LDAP message (RFC 4511 section 4.1.1) in answer to our message 1: an entry, the end of a search, or an
/// extended response.
fn is_ldap(said: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = said else {
        return false;
    };
    let more = usize::from(if length & 0x80 == 0 { 0 } else { length & 0x7f });
    matches!(
        rest.get(more..),
        Some([2, 1, 0..=1, 0x64 | 0x65 | 0x78, ..])
    ) && more <= 4
}
