//! Where no packet may go.

use std::net::IpAddr;

use portwatch_domain::target::IpRange;

/// The addresses that are excluded by a job or by this worker's settings. Asked for each packet just before it
/// leaves, so that no mistake anywhere before that can hurt anybody.
#[derive(Clone, Debug, Default)]
pub struct Exclusions {
    /// Sorted by their first address, disjoint within a family.
    ranges: Vec<(IpAddr, IpAddr)>,
}

impl Exclusions {
    /// Excludes all of these ranges.
    pub fn new<'a>(ranges: impl IntoIterator<Item = &'a IpRange>) -> Self {
        let mut sorted: Vec<(IpAddr, IpAddr)> = ranges
            .into_iter()
            .map(|range| (range.first(), range.last()))
            .collect();
        sorted.sort_unstable();
        let mut merged: Vec<(IpAddr, IpAddr)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                // IPv4 sorts before IPv6, so a range never reaches into the other family.
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// Whether a packet may go to this address.
    ///
    /// An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is looked up as what it is.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let after = self.ranges.partition_point(|&(first, _)| first <= address);
        after == 0 || self.ranges[after - 1].1 < address
    }
}

#[cfg(test)]
mod tests;
