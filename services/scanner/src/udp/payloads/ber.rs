//! As much of the Basic Encoding Rules (ITU-T X.690) as SNMP and LDAP need: short lengths out, any length in.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;

/// A value with its tag and length. The contents must be shorter than 128 bytes, as all of ours are.
pub(super) fn value(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let length = u8::try_from(contents.len()).unwrap_or(u8::MAX) & 0x7f;
    [vec![tag, length], contents].concat()
}

/// A number of four bytes, the highest bit of which is clear.
pub(super) fn number(number: u32) -> Vec<u8> {
    value(INTEGER, &[&number.to_be_bytes()])
}

/// Takes the value with this tag from the front: its contents, and what follows it. What was cut off at the end
/// of the datagram is not missed.
pub(super) fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        let add = |sum: usize, &byte: &u8| (sum << 8) | usize::from(byte);
        (length.iter().fold(0, add), rest)
    };
    Some(rest.split_at(length.min(rest.len())))
}

/// Takes a number from the front.
pub(super) fn take_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = take(bytes, INTEGER)?;
    let add = |sum: u64, &byte: &u8| (sum << 8) | u64::from(byte);
    (number.len() <= 8).then(|| (number.iter().fold(0, add), rest))
}
