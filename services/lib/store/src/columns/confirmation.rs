//! When ports were last seen, kept with their host.
//!
//! Most scans find what is known. They move the last confirmation of many ports and nothing else, so it
//! stands once in the host's row: one time for the ports that the last scan confirmed, and by name those
//! that it did not, such as ports that it did not cover.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use portwatch_domain::change::PortRecord;
use portwatch_domain::ports::{Port, PortSet};

use super::{Unreadable, cut, parse};

const COLUMN: &str = "left_behind";

/// The newest confirmation of a host's ports, and the older ones of those that missed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confirmation {
    at: Option<Timestamp>,
    left_behind: BTreeMap<Timestamp, PortSet>,
}

impl Confirmation {
    pub(crate) fn of(ports: &BTreeMap<Port, PortRecord>) -> Self {
        let at = ports.values().map(|record| cut(record.last_seen)).max();
        let mut left_behind: BTreeMap<_, PortSet> = BTreeMap::new();
        for (&port, record) in ports {
            let seen = cut(record.last_seen);
            if Some(seen) != at {
                left_behind.entry(seen).or_default().insert(port);
            }
        }
        Self { at, left_behind }
    }

    /// Reads the two columns.
    pub(crate) fn read(at: Option<Timestamp>, left_behind: &str) -> Result<Self, Unreadable> {
        let read = |word: &str| {
            let (ports, micros) = word
                .split_once('@')
                .ok_or_else(|| Unreadable::new(COLUMN, format_args!("{word:?} has no time")))?;
            let seen = Timestamp::from_microsecond(parse(COLUMN, micros)?)
                .map_err(|error| Unreadable::new(COLUMN, error))?;
            Ok((seen, parse(COLUMN, ports)?))
        };
        let left_behind: Result<_, _> = left_behind.split_whitespace().map(read).collect();
        Ok(Self {
            at,
            left_behind: left_behind?,
        })
    }

    /// When the ports were confirmed that are not left behind.
    pub(crate) const fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// The ports that are left behind, as text.
    pub(crate) fn left_behind(&self) -> String {
        let mut text = String::new();
        for (seen, ports) in &self.left_behind {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{space}{ports}@{}", seen.as_microsecond());
        }
        text
    }

    /// When a port was last seen whose own row says `own`. A row that is newer was written by a program
    /// that keeps the time there.
    pub(crate) fn last_seen(&self, port: Port, own: Timestamp) -> Timestamp {
        let mut left_behind = self.left_behind.iter();
        let of_host = left_behind
            .find(|(_, ports)| ports.contains(port))
            .map(|(&seen, _)| seen)
            .or(self.at);
        of_host.map_or(own, |seen| seen.max(own))
    }
}
