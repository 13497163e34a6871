//! When something happened, remembered to a tenth of a second: which periods a host answered in, and in
//! which the receive queue overflowed.

use std::time::Duration;

use super::Moment;

/// The length of a slot.
pub(crate) const SLOT: Duration = Duration::from_millis(100);

/// A set of slots of time since the scan began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    words: Vec<u64>,
}

impl Slots {
    /// Marks the slot of `at`, a time since the scan began.
    pub(crate) fn mark(&mut self, at: Moment) {
        let slot = index(at);
        if self.words.len() <= slot / 64 {
            self.words.resize(slot / 64 + 1, 0);
        }
        self.words[slot / 64] |= 1 << (slot % 64);
    }

    /// True if any slot from that of `from` to that of `until` is marked.
    pub(crate) fn any(&self, from: Moment, until: Moment) -> bool {
        (index(from)..=index(until)).any(|slot| {
            self.words
                .get(slot / 64)
                .is_some_and(|word| word & (1 << (slot % 64)) != 0)
        })
    }
}

pub(super) fn index(at: Moment) -> usize {
    usize::try_from(at.as_millis() / SLOT.as_millis()).unwrap_or(usize::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_holds_what_was_marked_in_it() {
        let mut slots = Slots::default();
        let at = |milliseconds| Moment::from_millis(milliseconds);
        assert!(!slots.any(at(0), at(100_000)));
        slots.mark(at(20_120));
        slots.mark(at(310));
        assert!(slots.any(at(0), at(399)));
        assert!(!slots.any(at(400), at(20_099)));
        assert!(slots.any(at(20_199), at(20_199)));
        assert!(!slots.any(at(20_200), at(90_000)));
    }
}
