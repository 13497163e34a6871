//! A set of 16-bit numbers as sorted, disjoint, non-adjacent inclusive ranges.

/// The canonical form behind [`super::PortSet`]; never holds 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ranges(Vec<(u16, u16)>);

impl Ranges {
    pub(super) const fn empty() -> Self {
        Self(Vec::new())
    }

    pub(super) fn all() -> Self {
        Self(vec![(1, u16::MAX)])
    }

    pub(super) fn as_slice(&self) -> &[(u16, u16)] {
        &self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0
            .iter()
            .map(|&(low, high)| usize::from(high - low) + 1)
            .sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, number: u16) -> bool {
        let after = self.0.partition_point(|&(low, _)| low <= number);
        after > 0 && self.0[after - 1].1 >= number
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().flat_map(|&(low, high)| low..=high)
    }

    /// Adds `low..=high`, merging whatever it touches. Numbers below 1 are left out.
    pub(super) fn insert(&mut self, low: u16, high: u16) {
        let low = low.max(1);
        if high < low {
            return;
        }
        let first = self.0.partition_point(|&(_, end)| end < low - 1);
        let last = self
            .0
            .partition_point(|&(start, _)| start <= high.saturating_add(1));
        let mut merged = (low, high);
        if let Some(touched) = self
            .0
            .get(first..last)
            .filter(|touched| !touched.is_empty())
        {
            merged.0 = merged.0.min(touched[0].0);
            merged.1 = merged.1.max(touched[touched.len() - 1].1);
        }
        self.0.splice(first..last.max(first), [merged]);
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(all.len());
        for (low, high) in all {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.as_slice(), other.0.as_slice());
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
        Self(both)
    }

    pub(super) fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// Everything from 1 to 65535 that is not in the set.
    fn complement(&self) -> Self {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut next = Some(1);
        for &(low, high) in &self.0 {
            if let Some(start) = next.filter(|&start| start < low) {
                rest.push((start, low - 1));
            }
            next = high.checked_add(1);
        }
        if let Some(start) = next {
            rest.push((start, u16::MAX));
        }
        Self(rest)
    }
}
