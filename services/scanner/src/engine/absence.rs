//! Whether a host that says nothing is down, or only not heard.
//!
//! It is down if its ports that were open stay silent again and again, for some seconds, while other hosts of its
//! network answer: then it is neither the worker that is blind nor the way there that is broken. One port is not
//! enough, where there are more: it may be the one that is silent, and the others may have been asked only while
//! nothing could be heard.

use std::time::Duration;

use super::Moment;

/// So many silences, each this long after the one before, over this time: longer than the kernel takes to notice that
/// the host has another hardware address than before (some eleven seconds), as a machine that was rebuilt has.
const SILENCES: u8 = 5;
const APART: Duration = Duration::from_millis(900);
const OVER: Duration = Duration::from_secs(14);
/// When it is given up: earlier if there was nobody else to be heard either.
const MOST_ATTEMPTS: u8 = 9;
const MOST_ATTEMPTS_UNHEARD: u8 = 5;
/// How many ports known open go on asking, and how often each must have been silent.
const MOST_ASKERS: usize = 3;
const SILENCES_OF_EACH: u8 = 3;
/// So many ports of the host, known open or not, must have been silent.
const SILENT_PORTS: usize = 4;

/// What speaks for a host being down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Absence {
    /// The pairs that go on asking after the sweep.
    askers: Vec<Asker>,
    /// Some of the pairs that were silent.
    silent: Vec<u32>,
    silences: u8,
    /// The first and the last silence.
    period: Option<(Moment, Moment)>,
}

#[derive(Clone, Copy, Debug)]
struct Asker {
    pair: u32,
    attempts: u8,
    silences: u8,
}

impl Absence {
    /// Whether the silence of a port that was not known open says anything that is not known.
    pub(crate) fn wants(&self, pair: u32) -> bool {
        self.silent.len() < SILENT_PORTS && !self.silent.contains(&pair)
    }

    /// A port that was not known open stayed silent, while the network answered.
    pub(crate) fn also_silent(&mut self, pair: u32) {
        if self.wants(pair) {
            self.silent.push(pair);
        }
    }

    /// A port that was known open stayed silent after a probe that left at `sent`, while the network answered.
    pub(crate) fn silent(&mut self, pair: u32, sent: Moment) {
        self.also_silent(pair);
        if let Some(asker) = self.askers.iter_mut().find(|asker| asker.pair == pair) {
            asker.silences = asker.silences.saturating_add(1);
        }
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

    /// Enough speaks for it, if the host is asked for so many ports.
    pub(crate) fn is_shown(&self, ports: usize) -> bool {
        let over = self
            .period
            .is_some_and(|(first, last)| last >= first + OVER);
        self.silences >= SILENCES
            && over
            && self.silent.len() >= SILENT_PORTS.min(ports)
            && self
                .askers
                .iter()
                .all(|asker| asker.silences >= SILENCES_OF_EACH)
    }

    /// Whether this pair, known open, is one to ask once more.
    pub(crate) fn asks(&mut self, pair: u32, ports: usize) -> bool {
        if self.is_shown(ports) {
            return false;
        }
        let known = self.askers.iter().position(|asker| asker.pair == pair);
        let place = match known {
            Some(place) => place,
            None if self.askers.len() < MOST_ASKERS => {
                self.askers.push(Asker {
                    pair,
                    attempts: 0,
                    silences: 0,
                });
                self.askers.len() - 1
            }
            None => return false,
        };
        let asker = &mut self.askers[place];
        let most = if self.silences == 0 {
            MOST_ATTEMPTS_UNHEARD
        } else {
            MOST_ATTEMPTS
        };
        let asks = asker.attempts < most;
        asker.attempts += u8::from(asks);
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
            absence.silent(1, at(sent));
        }
        assert!(!absence.is_shown(1));
        for sent in [5000, 9000, 13_000] {
            absence.silent(1, at(sent));
        }
        assert!(!absence.is_shown(1), "not long enough");
        absence.silent(1, at(17_000));
        assert!(absence.is_shown(1));

        let mut burst = Absence::default();
        for sent in 0..800 {
            burst.silent(1, at(sent));
        }
        burst.silent(1, at(17_000));
        assert!(!burst.is_shown(1), "those of one moment are one");
    }

    #[test]
    fn it_takes_several_ports_if_there_are_any() {
        let mut absence = Absence::default();
        for pair in 1..=2 {
            assert!(absence.asks(pair, 100));
        }
        for sent in (0..10).map(|second| at(2000 * second)) {
            absence.silent(1, sent);
        }
        assert!(!absence.is_shown(100), "one port");
        for sent in (0..2).map(|second| at(2000 * second)) {
            absence.silent(2, sent);
        }
        absence.also_silent(3);
        absence.also_silent(3);
        absence.also_silent(4);
        assert!(!absence.is_shown(100), "the second was silent twice only");
        absence.silent(2, at(5000));
        assert!(absence.is_shown(100));
    }

    #[test]
    fn a_few_pairs_ask_and_not_for_ever() {
        let mut absence = Absence::default();
        for pair in 7..10 {
            assert!(absence.asks(pair, 100));
        }
        assert!(!absence.asks(10, 100));
        let more = (0..100).filter(|_| absence.asks(7, 100)).count();
        assert_eq!(more + 1, usize::from(MOST_ATTEMPTS_UNHEARD));
        absence.silent(8, at(1000));
        let more = (0..100).filter(|_| absence.asks(8, 100)).count();
        assert_eq!(more + 1, usize::from(MOST_ATTEMPTS));
        assert!(absence.asks(9, 100));
    }
}
