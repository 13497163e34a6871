//! How much is lost on the way to a host and back, and how many silences it therefore takes until silence means
//! something.

/// What one port's silences may wrongly be taken for: one in a thousand million.
const ERROR: f64 = 1e-9;
/// As if one of twelve probes had been lost before anything is measured.
const PRIOR: (f64, f64) = (1.0, 12.0);
/// Where more is lost, twelve silences in a row are no wonder.
const HOPELESS: f64 = 0.35;
const FEWEST: u8 = 4;
const MOST: u8 = 12;

/// Counts transmissions to ports that answer; those to silent ports say nothing about loss.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    lost: u32,
    sent: u32,
}

impl Loss {
    /// A port answered the transmission number `attempt`, counted from 0, so that those before it were lost on
    /// the way there or back.
    pub(crate) fn answered(&mut self, attempt: u8) {
        self.lost += u32::from(attempt);
        self.sent += u32::from(attempt) + 1;
    }

    /// A control was sent. It is lost unless it is answered.
    pub(crate) fn control_sent(&mut self) {
        self.lost += 1;
        self.sent += 1;
    }

    /// A control was answered, for the first time.
    pub(crate) fn control_answered(&mut self) {
        self.lost = self.lost.saturating_sub(1);
    }

    /// The share of probes that stay without an answer although the port answers: what was measured, and a
    /// standard deviation more.
    fn round_trip(self) -> f64 {
        let lost = f64::from(self.lost);
        (lost + lost.sqrt() + PRIOR.0) / (f64::from(self.sent) + PRIOR.1)
    }

    /// How many independent silences leave less than [`ERROR`] of doubt; [`MOST`] if that takes more. `None` if so
    /// much is lost that silence means nothing.
    pub(crate) fn silences_needed(self) -> Option<u8> {
        let loss = self.round_trip();
        let enough = |&silences: &u8| loss.powi(i32::from(silences)) < ERROR;
        (loss < HOPELESS).then(|| (FEWEST..MOST).find(enough).unwrap_or(MOST))
    }

    /// True if packets are being lost: more than one in two hundred, of enough to say so.
    pub(crate) fn is_lossy(self) -> bool {
        self.lost * 200 > self.sent && self.sent >= u32::from(FEWEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_loss_needs_more_silences() {
        let mut loss = Loss::default();
        assert_eq!(loss.silences_needed(), Some(9), "nothing is known yet");
        loss.answered(0);
        for _ in 0..7 {
            loss.control_sent();
            loss.control_answered();
        }
        assert_eq!(
            loss.silences_needed(),
            Some(7),
            "one port, and its controls"
        );
        for _ in 0..10_000 {
            loss.answered(0);
        }
        assert_eq!(loss.silences_needed(), Some(FEWEST));

        // 5 % each way: 9.75 % of the first transmissions, 0.95 % of the second, get no answer.
        let mut lossy = Loss::default();
        for index in 0..10_000 {
            lossy.answered(match index % 1000 {
                0..=8 => 2,
                9..=96 => 1,
                _ => 0,
            });
        }
        assert!((lossy.round_trip() - 0.0975).abs() < 0.01);
        assert_eq!(lossy.silences_needed(), Some(9));

        let mut bad = Loss::default();
        for _ in 0..100 {
            bad.control_sent();
        }
        assert_eq!(bad.silences_needed(), None);
    }
}
