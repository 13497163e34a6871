//! Many changes in one message.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::words;
use crate::change::{Change, ChangeKind, Changes, Severity};

/// So many changes are told one by one; the rest is counted.
pub const MOST_LINES: usize = 50;
/// So many targets are named.
pub const MOST_TARGETS: usize = 20;

/// Many changes, of many hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id, made from the changes.
    pub id: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// It reminds of what people were told before.
    pub reminder: bool,
    /// When the first of the changes was seen, and the last.
    pub period: (Timestamp, Timestamp),
    /// How many hosts, targets and zones changed.
    pub subjects: u32,
    /// How many changes there are of each kind; none of them 0.
    pub counts: Vec<(ChangeKind, u32)>,
    /// The greatest severity of the changes.
    pub severity: Severity,
    /// The names of the targets, at most [`MOST_TARGETS`].
    pub targets: Vec<String>,
    /// The changes in words, the most severe first, at most [`MOST_LINES`].
    pub lines: Vec<String>,
}

impl Summary {
    /// The summary of these changes; `None` if there are none.
    pub fn of(all: &[Changes], now: Timestamp) -> Option<Self> {
        let each = || all.iter().flat_map(changes_of);
        let (_, first) = each().next()?;
        let mut counts: BTreeMap<ChangeKind, u32> = BTreeMap::new();
        let mut name = b"summary".to_vec();
        for (_, change) in each() {
            *counts.entry(change.kind()).or_default() += 1;
            name.extend(change.id.0.as_bytes());
        }
        let mut lines: Vec<_> = each().collect();
        lines.sort_by_key(|(_, change)| (std::cmp::Reverse(change.severity), change.at));
        let lines = lines.iter().take(MOST_LINES);
        let subjects: BTreeSet<_> = all.iter().map(Changes::order_key).collect();
        let targets: BTreeSet<_> = all
            .iter()
            .filter_map(|one| Some(one.target()?.name.clone()))
            .collect();
        let times = || each().map(|(_, change)| change.at);
        Some(Self {
            id: Uuid::new_v5(&first.id.0, &name),
            created_at: now,
            reminder: false,
            period: (times().min()?, times().max()?),
            subjects: u32::try_from(subjects.len()).unwrap_or(u32::MAX),
            counts: counts.into_iter().collect(),
            severity: each().map(|(_, change)| change.severity).max()?,
            targets: targets.into_iter().take(MOST_TARGETS).collect(),
            lines: lines
                .map(|(one, change)| words::sentence(&one.subject(), change))
                .collect(),
        })
    }

    /// A reminder of these changes; `None` if there are none.
    pub fn reminder(all: &[Changes], now: Timestamp) -> Option<Self> {
        let summary = Self::of(all, now)?;
        // The next reminder of the same is another message.
        let name = format!("reminder\n{}", now.as_microsecond());
        Some(Self {
            id: Uuid::new_v5(&summary.id, name.as_bytes()),
            reminder: true,
            ..summary
        })
    }

    /// How many changes it tells of.
    pub fn changes(&self) -> u32 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// How many changes are only counted.
    pub fn more(&self) -> u32 {
        let lines = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        self.changes().saturating_sub(lines)
    }
}

fn changes_of(one: &Changes) -> impl Iterator<Item = (&Changes, &Change)> {
    one.changes.iter().map(move |change| (one, change))
}
