//! How much a host, or a network, is asked at once: additive increase, multiplicative decrease (Chiu and Jain,
//! 1989), as RFC 5681 does it for TCP.
//!
//! What counts as loss is an answer that needed a retransmission, or a control that was not answered: never mere
//! silence, which is what filtered ports do. Loss that stays as it is while we slow down is not our doing, and is
//! put up with; a limit on answers (of RSTs, say) is, and there the share of lost answers falls as we slow down.

use std::time::Duration;

use super::Moment;

/// How many answers make a judgement.
const SAMPLE: u32 = 64;
/// Up to this share of lost probes, nothing is done.
const TOLERATED: f64 = 0.25;
/// If a slowdown brings at least this factor more of the probes home, it was right.
const BETTER: f64 = 1.25;
/// The least that may be out.
const LEAST: f64 = 2.0;

/// The window of one host or network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Congestion {
    /// How many probes may be out.
    window: f64,
    /// Above it, the window grows slowly.
    threshold: f64,
    out: u32,
    answered: u32,
    lost: u32,
    tolerated: f64,
    /// Before the last slowdown: the window, and the share of probes that came home.
    before: Option<(f64, f64)>,
    /// Answers to what left before the last slowdown are not judged.
    judged_from: Moment,
}

impl Congestion {
    /// With this many probes out at first; without a number, with as many as the rates allow.
    pub(crate) fn new(window: Option<u32>) -> Self {
        Self {
            window: window.map_or(f64::INFINITY, f64::from),
            threshold: f64::INFINITY,
            out: 0,
            answered: 0,
            lost: 0,
            tolerated: TOLERATED,
            before: None,
            judged_from: Moment::ZERO,
        }
    }

    /// True if another probe may leave.
    pub(crate) fn has_room(&self) -> bool {
        f64::from(self.out) < self.window
    }

    /// A probe leaves.
    pub(crate) fn sent(&mut self) {
        self.out += 1;
    }

    /// A probe was answered, or is no longer waited for.
    pub(crate) fn landed(&mut self) {
        self.out = self.out.saturating_sub(1);
    }

    /// A port answered the transmission that left at `left`, the number `attempt` from 0, so that those before it
    /// were lost.
    pub(crate) fn answered(&mut self, now: Moment, left: Moment, attempt: u8, timeout: Duration) {
        if self.window.is_finite() {
            let slow = self.window >= self.threshold;
            self.window += if slow { 1.0 / self.window } else { 1.0 };
        }
        self.judge(now, left, 1, u32::from(attempt), timeout);
    }

    /// A control that left at `left` was not answered.
    pub(crate) fn control_lost(&mut self, now: Moment, left: Moment, timeout: Duration) {
        self.judge(now, left, 0, 1, timeout);
    }

    fn judge(&mut self, now: Moment, left: Moment, answered: u32, lost: u32, timeout: Duration) {
        if left < self.judged_from {
            return;
        }
        self.answered += answered;
        self.lost += lost;
        let sample = self.answered + self.lost;
        if sample < SAMPLE {
            return;
        }
        let home = f64::from(self.answered) / f64::from(sample);
        (self.answered, self.lost) = (0, 0);
        if let Some((window, home_before)) = self.before.take()
            && home < home_before * BETTER
        {
            // It did not help: this path loses as much at any rate.
            self.tolerated = self.tolerated.max((1.0 - home.min(home_before)) * 1.25);
            self.window = self.window.max(window);
        }
        if 1.0 - home > self.tolerated {
            self.slow_down(now, home, timeout);
        }
    }

    fn slow_down(&mut self, now: Moment, home: f64, timeout: Duration) {
        self.before = Some((self.window, home));
        self.window = (self.window.min(f64::from(self.out)) / 2.0).max(LEAST);
        self.threshold = self.window;
        self.judged_from = now + timeout;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    /// A path that answers at most `limit` probes a second and loses every `nth` of them; what is out at the end
    /// of ten seconds, counted in probes a second.
    fn settle(limit: u32, nth: u32, window: Option<u32>) -> u32 {
        let mut congestion = Congestion::new(window);
        let mut rate = 0;
        for round in 0_u32..100 {
            let left = Moment::from_millis(u64::from(round) * 200);
            let now = left + Duration::from_millis(150);
            let mut sent = 0;
            while congestion.has_room() && sent < 5000 {
                congestion.sent();
                sent += 1;
            }
            rate = sent * 5;
            for probe in 0..sent {
                congestion.landed();
                let over = probe >= limit / 5;
                let lost = over || (nth > 0 && probe % nth == 0);
                if lost {
                    congestion.answered(now, left, 1, TIMEOUT);
                } else {
                    congestion.answered(now, left, 0, TIMEOUT);
                }
            }
        }
        rate
    }

    #[test]
    fn a_limit_is_found_and_mere_loss_is_put_up_with() {
        assert_eq!(settle(1_000_000, 0, None), 25_000, "nothing is lost");
        assert_eq!(settle(1_000_000, 10, None), 25_000, "one in ten is lost");
        assert!(settle(1_000_000, 2, None) > 10_000, "every other is lost");
        let limited = settle(1000, 0, None);
        assert!(
            (400..4000).contains(&limited),
            "{limited} at a limit of 1000"
        );
        assert_eq!(settle(1_000_000, 0, Some(100)), 25_000, "it starts slowly");
    }

    #[test]
    fn silence_is_no_loss() {
        let mut congestion = Congestion::new(Some(100));
        for _ in 0..1000 {
            congestion.sent();
            congestion.landed();
        }
        assert!(congestion.has_room());
        assert!((congestion.window - 100.0).abs() < f64::EPSILON);
    }
}
