//! A set of 16-bit numbers as sorted, disjoint, non-adjacent inclusive ranges.

use std::fmt;
use std::sync::Arc;

/// The canonical form behind [`super::PortSet`]; never holds 0. Clones share their memory: a hundred thousand targets
/// watch the same thousand ports. `None` is the empty set, and the only form of it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Ranges(Option<Arc<Vec<(u16, u16)>>>);

impl fmt::Debug for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ranges").field(&self.as_slice()).finish()
    }
}

impl Ranges {
    pub(super) const fn empty() -> Self {
        Self(None)
    }

    fn of(ranges: Vec<(u16, u16)>) -> Self {
        Self((!ranges.is_empty()).then(|| Arc::new(ranges)))
    }

    pub(super) fn all() -> Self {
        Self::of(vec![(1, u16::MAX)])
    }

    pub(super) fn as_slice(&self) -> &[(u16, u16)] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    pub(super) fn len(&self) -> usize {
        self.as_slice()
            .iter()
            .map(|&(low, high)| usize::from(high - low) + 1)
            .sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn contains(&self, number: u16) -> bool {
        let ranges = self.as_slice();
        let after = ranges.partition_point(|&(low, _)| low <= number);
        after > 0 && ranges[after - 1].1 >= number
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.as_slice().iter().flat_map(|&(low, high)| low..=high)
    }

    /// Adds `low..=high`, merging whatever it touches. Numbers below 1 are left out.
    pub(super) fn insert(&mut self, low: u16, high: u16) {
        let low = low.max(1);
        if high < low {
            return;
        }
        let ranges = Arc::make_mut(self.0.get_or_insert_default());
        // Most sets are made in ascending order.
        match ranges.last_mut() {
            Some(last) if low - 1 == last.1 => {
                last.1 = high;
                return;
            }
            Some(last) if low <= last.1 => {}
            _ => {
                ranges.push((low, high));
                return;
            }
        }
        let first = ranges.partition_point(|&(_, end)| end < low - 1);
        let last = ranges.partition_point(|&(start, _)| start <= high.saturating_add(1));
        let mut merged = (low, high);
        if let Some(touched) = ranges
            .get(first..last)
            .filter(|touched| !touched.is_empty())
        {
            merged.0 = merged.0.min(touched[0].0);
            merged.1 = merged.1.max(touched[touched.len() - 1].1);
        }
        ranges.splice(first..last.max(first), [merged]);
    }

    /// True if both hold the same in the same memory, which tells nothing if they do not.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(mine), Some(its)) => Arc::ptr_eq(mine, its),
            (mine, its) => mine.is_none() && its.is_none(),
        }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        if other.is_empty() || self.is_same(other) {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        let mut all: Vec<_> = [self.as_slice(), other.as_slice()].concat();
        all.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(all.len());
        for (low, high) in all {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self::of(merged)
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        if self.is_same(other) {
            return self.clone();
        }
        let (mut left, mut right) = (self.as_slice(), other.as_slice());
        let mut both = Vec::new();
        while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
            let (low, high) = (a.0.max(b.0), a.1.min(b.1));
            if low <= high {
                both.push((low, high));
            }
            if a.1 < b.1 {
                left = &left[1..];
            } else {
                right = &right[1..];
            }
        }
        Self::of(both)
    }

    pub(super) fn difference(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        if self.is_same(other) {
            return Self::empty();
        }
        self.intersection(&other.complement())
    }

    /// Everything from 1 to 65535 that is not in the set.
    fn complement(&self) -> Self {
        let mut rest = Vec::with_capacity(self.as_slice().len() + 1);
        let mut next = Some(1);
        for &(low, high) in self.as_slice() {
            if let Some(start) = next.filter(|&start| start < low) {
                rest.push((start, low - 1));
            }
            next = high.checked_add(1);
        }
        if let Some(start) = next {
            rest.push((start, u16::MAX));
        }
        Self::of(rest)
    }
}
