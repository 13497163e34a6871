//! How domain values are written in columns, the same in both databases.
//!
//! Times are kept to the microsecond, and so are durations; what is finer is cut off.

pub(crate) mod access;
mod change;
mod confirmation;
mod detail;
pub(crate) mod names;
pub(crate) mod packed;
mod runs;
mod service;
mod soft;
mod state;
mod target;

use std::fmt::Display;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::ports::PortSet;

pub(crate) use change::ChangeColumns;
pub(crate) use confirmation::Confirmation;
pub(crate) use state::{
    EvidenceColumns, HostColumns, PortColumns, Ports, assemble, assemble_from, by_host,
};
pub(crate) use target::TargetColumns;

/// A column holds what this program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("{column}: {cause}")]
pub(crate) struct Unreadable {
    pub(crate) column: &'static str,
    pub(crate) cause: String,
}

impl Unreadable {
    pub(crate) fn new(column: &'static str, cause: impl Display) -> Self {
        let cause = cause.to_string();
        Self { column, cause }
    }
}

/// Reads a word, an address or the like.
pub(crate) fn parse<T: FromStr<Err: Display>>(
    column: &'static str,
    text: &str,
) -> Result<T, Unreadable> {
    text.parse()
        .map_err(|error| Unreadable::new(column, format_args!("{text:?}: {error}")))
}

/// Reads a port set; the empty one is written as nothing.
pub(crate) fn port_set(column: &'static str, text: &str) -> Result<PortSet, Unreadable> {
    if text.is_empty() {
        return Ok(PortSet::empty());
    }
    parse(column, text)
}

/// Reads a number into a narrower or unsigned type.
pub(crate) fn number<T: TryFrom<i64, Error: Display>>(
    column: &'static str,
    value: i64,
) -> Result<T, Unreadable> {
    T::try_from(value).map_err(|error| Unreadable::new(column, format_args!("{value}: {error}")))
}

/// Databases have no unsigned 64-bit numbers; no count of ours comes near the limit.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Cuts a time to the microsecond.
pub(crate) fn cut(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// The end of a lease, cut to the microsecond.
pub(crate) fn lease_end(now: Timestamp, lease: SignedDuration) -> Timestamp {
    cut(now.checked_add(lease).unwrap_or(Timestamp::MAX))
}

/// A duration in microseconds.
pub(crate) fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
