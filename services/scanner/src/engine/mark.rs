//! What is settled about a (host, port) pair, in one byte: there can be millions of them.

/// Still in the sweep: this bit, and the numbers below.
const SWEPT: u8 = 0x80;
/// A probe is out, rather than waiting for its turn.
const OUT: u8 = 0x40;
const ATTEMPT_SHIFT: u8 = 3;
const NUMBER: u8 = 0x07;

/// The state of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u8);

/// A pair in the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Swept {
    /// The number of the attempt that is out or waits for its turn.
    pub(crate) attempt: u8,
    /// How many silences count so far, at most 7.
    pub(crate) silences: u8,
    /// The attempt was sent.
    pub(crate) out: bool,
}

impl Mark {
    /// Nothing yet.
    pub(crate) const UNTOLD: Self = Self(0);
    /// Silent in the sweep, and to be looked at again if its host turns out to be there.
    pub(crate) const PARKED: Self = Self(1);
    pub(crate) const OPEN: Self = Self(2);
    pub(crate) const CLOSED: Self = Self(3);
    pub(crate) const FILTERED: Self = Self(4);
    /// Given up.
    pub(crate) const UNKNOWN: Self = Self(5);
    /// It has a track.
    pub(crate) const TRACKED: Self = Self(6);

    /// In the sweep.
    pub(crate) fn swept(swept: Swept) -> Self {
        let out = if swept.out { OUT } else { 0 };
        Self(SWEPT | out | (swept.attempt & NUMBER) << ATTEMPT_SHIFT | swept.silences.min(NUMBER))
    }

    /// What the sweep knows of it, if it is in the sweep.
    pub(crate) fn as_swept(self) -> Option<Swept> {
        (self.0 & SWEPT != 0).then_some(Swept {
            attempt: self.0 >> ATTEMPT_SHIFT & NUMBER,
            silences: self.0 & NUMBER,
            out: self.0 & OUT != 0,
        })
    }

    /// True if a probe of the sweep is out.
    pub(crate) fn is_out(self) -> bool {
        self.0 & (SWEPT | OUT) == SWEPT | OUT
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(swept) = self.as_swept() {
            return swept.fmt(f);
        }
        f.write_str(match *self {
            Self::UNTOLD => "untold",
            Self::PARKED => "parked",
            Self::OPEN => "open",
            Self::CLOSED => "closed",
            Self::FILTERED => "filtered",
            Self::UNKNOWN => "unknown",
            _ => "tracked",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_keeps_what_the_sweep_knows() {
        for attempt in 0..=7 {
            for silences in 0..=7 {
                for out in [false, true] {
                    let swept = Swept {
                        attempt,
                        silences,
                        out,
                    };
                    let mark = Mark::swept(swept);
                    assert_eq!(mark.as_swept(), Some(swept));
                    assert_eq!(mark.is_out(), out);
                }
            }
        }
        let settled = [Mark::UNTOLD, Mark::PARKED, Mark::OPEN, Mark::CLOSED];
        for mark in settled
            .into_iter()
            .chain([Mark::FILTERED, Mark::UNKNOWN, Mark::TRACKED])
        {
            assert_eq!(mark.as_swept(), None);
            assert!(!mark.is_out());
        }
    }
}
