//! How much the network loses, and how many silences it therefore takes until silence means something.

/// What one silence may wrongly be taken for, per port: one in a thousand million.
const ERROR: f64 = 1e-9;
/// Before anything is measured: one in a hundred.
const PRIOR: (f64, f64) = (1.0, 100.0);
const FEWEST: u8 = 4;
const MOST: u8 = 12;

/// Counts transmissions to ports that answered in the end; those to silent ports say nothing about loss.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    lost: u64,
    sent: u64,
}

impl Loss {
    /// A port answered the transmission number `attempt`, counted from 0, so that those before it were lost on
    /// the way there or back.
    pub(crate) fn answered(&mut self, attempt: u8) {
        self.lost += u64::from(attempt);
        self.sent += u64::from(attempt) + 1;
    }

    /// The share of probes that stay without an answer although the port answers.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of packets are far below 2^52"
    )]
    pub(crate) fn round_trip(&self) -> f64 {
        (self.lost as f64 + PRIOR.0) / (self.sent as f64 + PRIOR.1)
    }

    /// How many independent silences leave less than [`ERROR`] of doubt.
    pub(crate) fn silences_needed(&self) -> u8 {
        let loss = self.round_trip().min(0.9);
        (FEWEST..MOST)
            .find(|&silences| loss.powi(i32::from(silences)) < ERROR)
            .unwrap_or(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_loss_needs_more_silences() {
        let mut clean = Loss::default();
        assert_eq!(clean.silences_needed(), 5, "nothing is known yet");
        for _ in 0..10_000 {
            clean.answered(0);
        }
        assert_eq!(clean.silences_needed(), FEWEST);

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
        assert_eq!(lossy.silences_needed(), 9);

        let mut bad = Loss::default();
        for _ in 0..100 {
            bad.answered(3);
        }
        assert_eq!(bad.silences_needed(), MOST);
    }
}
