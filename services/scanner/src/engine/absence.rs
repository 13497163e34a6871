//! Whether a host that says nothing is down, or only not heard.
//!
//! It is down if one of its ports that were open stays silent again and again, for some seconds, while other hosts
//! of its network answer: then it is neither the worker that is blind nor the way there that is broken.

use std::time::Duration;

use super::Moment;

/// So many silences, each this long after the one before, over this time: longer than the kernel takes to notice that
/// the host has another hardware address than before (some eleven seconds), as a machine that was rebuilt has.
const SILENCES: u8 = 5;
const APART: Duration = Duration::from_millis(900);
const OVER: Duration = Duration::from_secs(14);
/// When it is given up: the pause between the last attempts is longer than `OVER`.
const MOST_ATTEMPTS: u8 = 12;

/// What speaks for a host being down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Absence {
    /// The pair that goes on asking after the sweep.
    asker: Option<u32>,
    silences: u8,
    attempts: u8,
    /// The first and the last silence.
    period: Option<(Moment, Moment)>,
}

impl Absence {
    /// A port that was known open stayed silent after a probe that left at `sent`, while the network answered.
    pub(crate) fn silent(&mut self, sent: Moment) {
        match self.period {
            None => {
                self.period = Some((sent, sent));
                self.silences = 1;
            }
            Some((first, last)) if sent >= last + APART => {
                self.period = Some((first, sent));
                self.silences = self.silences.saturating_add(1);
            }
            Some(_) => {}
        }
    }

    /// Enough speaks for it.
    pub(crate) fn is_shown(&self) -> bool {
        let over = self
            .period
            .is_some_and(|(first, last)| last >= first + OVER);
        self.silences >= SILENCES && over
    }

    /// Whether this pair, known open, is the one to ask once more.
    pub(crate) fn asks(&mut self, pair: u32) -> bool {
        if self.is_shown() || self.attempts >= MOST_ATTEMPTS {
            return false;
        }
        let asks = *self.asker.get_or_insert(pair) == pair;
        self.attempts += u8::from(asks);
        asks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Moment {
        Moment::from_millis(milliseconds)
    }

    #[test]
    fn it_takes_several_silences_over_some_time() {
        let mut absence = Absence::default();
        for sent in [0, 1000, 2000] {
            absence.silent(at(sent));
        }
        assert!(!absence.is_shown());
        for sent in [5000, 9000, 13_000] {
            absence.silent(at(sent));
        }
        assert!(!absence.is_shown(), "not long enough");
        absence.silent(at(17_000));
        assert!(absence.is_shown());

        let mut burst = Absence::default();
        for sent in 0..800 {
            burst.silent(at(sent));
        }
        burst.silent(at(17_000));
        assert!(!burst.is_shown(), "those of one moment are one");
    }

    #[test]
    fn one_pair_asks_and_not_for_ever() {
        let mut absence = Absence::default();
        assert!(absence.asks(7));
        assert!(!absence.asks(8));
        let more = (0..100).filter(|_| absence.asks(7)).count();
        assert_eq!(more + 1, usize::from(MOST_ATTEMPTS));
    }
}
