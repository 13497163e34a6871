//! The text form of a port set.

use std::fmt;
use std::sync::LazyLock;

use super::{PortSet, Protocol, services};

/// What is wrong with a port set, and which part of the text it was.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PortSetError {
    /// Nothing between two commas, or nothing at all.
    #[error(
        "empty item in the port set {0:?}: write ports as 22,80,443,8000-8100, all, top100 or top1000"
    )]
    Empty(String),
    /// Not a number, a range or a word that we know.
    #[error(
        "{0:?} is not a port, a range (8000-8100) or one of all, top100, top1000; UDP ports are written udp:53"
    )]
    Item(String),
    /// 0 or above 65535.
    #[error("port {0} is out of range: ports go from 1 to 65535")]
    OutOfRange(String),
    /// The end of a range lies before its start.
    #[error("the range {0} runs backwards: write the lower port first")]
    Backwards(String),
}

/// The sets that most targets have, made once: what is parsed from their names shares their memory.
static NAMED: LazyLock<[(&str, PortSet); 2]> = LazyLock::new(|| {
    ["top1000", "top100"].map(|name| {
        let mut set = PortSet::empty();
        for number in services::top(Protocol::Tcp, if name == "top100" { 100 } else { 1000 }) {
            set.of_mut(Protocol::Tcp).insert(number, number);
        }
        (name, set)
    })
});

/// The name of a set that has one.
pub(super) fn name(set: &PortSet) -> Option<&'static str> {
    let named = NAMED.iter().find(|(_, named)| named == set);
    named.map(|&(name, _)| name)
}

pub(super) fn parse(text: &str) -> Result<PortSet, PortSetError> {
    if let Some((_, named)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Ok(named.clone());
    }
    let mut set = PortSet::empty();
    for item in text.split(',').map(str::trim) {
        if item.is_empty() {
            return Err(PortSetError::Empty(text.to_owned()));
        }
        add_item(&mut set, item)?;
    }
    Ok(set)
}

fn add_item(set: &mut PortSet, item: &str) -> Result<(), PortSetError> {
    let (protocol, rest) = match item.split_once(':') {
        Some(("tcp", rest)) => (Protocol::Tcp, rest),
        Some(("udp", rest)) => (Protocol::Udp, rest),
        Some(_) => return Err(PortSetError::Item(item.to_owned())),
        None => (Protocol::Tcp, item),
    };
    let ranges = set.of_mut(protocol);
    let most_common = match rest {
        "all" | "*" => {
            ranges.insert(1, u16::MAX);
            return Ok(());
        }
        "top100" => services::top(protocol, 100),
        "top1000" => services::top(protocol, 1000),
        _ => {
            let (low, high) = parse_range(item, rest)?;
            ranges.insert(low, high);
            return Ok(());
        }
    };
    for number in most_common {
        ranges.insert(number, number);
    }
    Ok(())
}

fn parse_range(item: &str, rest: &str) -> Result<(u16, u16), PortSetError> {
    let number = |text: &str| -> Result<u16, PortSetError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PortSetError::Item(item.to_owned()));
        }
        match text.parse::<u16>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(PortSetError::OutOfRange(text.to_owned())),
        }
    };
    match rest.split_once('-') {
        None => number(rest).map(|port| (port, port)),
        Some((low, high)) => {
            let (low, high) = (number(low.trim())?, number(high.trim())?);
            if low > high {
                return Err(PortSetError::Backwards(item.to_owned()));
            }
            Ok((low, high))
        }
    }
}

/// Prints the canonical form. The empty set prints as nothing, which [`parse`] refuses: an empty
/// set is a state inside Portwatch, never something that a person asks for.
pub(super) fn print(set: &PortSet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut separator = "";
    for (protocol, prefix) in [(Protocol::Tcp, ""), (Protocol::Udp, "udp:")] {
        for &(low, high) in set.ranges(protocol) {
            match (low, high) {
                (1, u16::MAX) => write!(f, "{separator}{prefix}all")?,
                _ if low == high => write!(f, "{separator}{prefix}{low}")?,
                _ => write!(f, "{separator}{prefix}{low}-{high}")?,
            }
            separator = ",";
        }
    }
    Ok(())
}
