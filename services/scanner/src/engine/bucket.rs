//! Token buckets, as the generic cell rate algorithm (ITU-T I.371): each remembers a single instant. The few that
//! hold for a whole scan remember a window of them, and so need not hold back any of their rate.

use std::collections::VecDeque;
use std::time::Duration;

use super::Moment;

/// The window in which a rate may not be exceeded.
pub(crate) const WINDOW: Duration = Duration::from_millis(100);
/// How much may leave at once after a pause: what a millisecond brings, because threads sleep about that coarsely.
const BURST: Duration = Duration::from_millis(1);
/// How long a pause is made up for, where the window is watched.
const CATCH_UP: Duration = Duration::from_millis(5);
/// So much longer is the window that is watched: on its way, a packet may be late by about that.
const JITTER: Duration = Duration::from_millis(1);
/// For up to so many packets it is remembered when they passed.
const MOST_REMEMBERED: usize = 1 << 14;

/// How fast packets pass: what a rate comes to, apart from any one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    interval: Duration,
    tolerance: Duration,
}

impl Pace {
    /// `rate` packets per second, at least 1. In no [`WINDOW`] pass more than its share, rounded up: what a burst
    /// may take is held back from the steady flow.
    pub(crate) fn new(rate: u32) -> Self {
        let rate = f64::from(rate.max(1));
        let extra = (rate * BURST.as_secs_f64()).floor();
        let steady = (rate * WINDOW.as_secs_f64() - extra).max(rate * WINDOW.as_secs_f64() / 2.0);
        // Rounded up, so that the last of a window's share does not slip into it.
        let interval = WINDOW.div_f64(steady) + Duration::from_nanos(1);
        Self {
            interval,
            tolerance: interval.mul_f64(extra),
        }
    }

    /// `rate` packets per second to the full, and what [`CATCH_UP`] brings at once after a pause. Whoever uses it
    /// must see to the window.
    fn exact(rate: u32) -> Self {
        let interval = Duration::from_secs(1).div_f64(f64::from(rate.max(1)));
        Self {
            interval,
            tolerance: CATCH_UP,
        }
    }

    /// When the next packet may pass of a bucket that is `due` then: `now` or later.
    pub(crate) fn next(&self, now: Moment, due: Moment) -> Moment {
        now.max(due.saturating_sub(self.tolerance))
    }

    /// When a bucket is due after one packet has passed at `now`.
    pub(crate) fn after(&self, now: Moment, due: Moment) -> Moment {
        due.max(now) + self.interval
    }
}

/// Lets packets pass at a rate, and makes up for pauses as far as the window allows.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pace: Pace,
    /// The theoretical arrival time of the next packet.
    due: Moment,
    /// When the last packets passed, the oldest first: as many as a window may hold.
    passed: VecDeque<Moment>,
    /// How many that is; `None` if it takes too much to remember them.
    share: Option<usize>,
}

impl Bucket {
    /// A full bucket of `rate` packets per second, at least 1. In no [`WINDOW`] pass more than its share, rounded
    /// up.
    pub(crate) fn new(rate: u32) -> Self {
        let windows = u32::try_from(Duration::from_secs(1).as_millis() / WINDOW.as_millis());
        let share = rate.max(1).div_ceil(windows.unwrap_or(1));
        let share = usize::try_from(share)
            .ok()
            .filter(|&share| share <= MOST_REMEMBERED);
        let pace = match share {
            Some(_) => Pace::exact(rate),
            None => Pace::new(rate),
        };
        Self {
            pace,
            due: Moment::ZERO,
            passed: VecDeque::new(),
            share,
        }
    }

    /// When the next packet may pass: `now` or later.
    pub(crate) fn next(&self, now: Moment) -> Moment {
        let next = self.pace.next(now, self.due);
        match self.passed.front() {
            Some(&oldest) if Some(self.passed.len()) == self.share => {
                next.max(oldest + WINDOW + JITTER)
            }
            _ => next,
        }
    }

    /// Lets one packet pass at `now`.
    pub(crate) fn take(&mut self, now: Moment) {
        self.due = self.pace.after(now, self.due);
        if let Some(share) = self.share {
            if self.passed.len() == share {
                self.passed.pop_front();
            }
            self.passed.push_back(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sends as much as the bucket lets pass, waking up at irregular times, for `seconds`.
    fn greedy(rate: u32, seconds: u64, naps: &[u64]) -> Vec<Moment> {
        let mut bucket = Bucket::new(rate);
        let mut sent = Vec::new();
        let mut now = Moment::from_secs(5);
        let end = now + Duration::from_secs(seconds);
        for nap in naps.iter().cycle() {
            while bucket.next(now) <= now {
                bucket.take(now);
                sent.push(now);
            }
            now = bucket.next(now) + Duration::from_micros(*nap);
            if now > end {
                break;
            }
        }
        sent
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_its_share(
            rate in 1_u32..20_000, naps in prop_oneof![Just(vec![0]), prop::collection::vec(0_u64..4000, 1..20)],
        ) {
            let most = busiest(&greedy(rate, 2, &naps));
            prop_assert!(most <= rate.div_ceil(10) as usize, "{most} at {rate}");
        }
    }

    /// The most packets in any window.
    fn busiest(sent: &[Moment]) -> usize {
        let from = |(first, start): (usize, &Moment)| {
            sent.partition_point(|&at| at < *start + WINDOW) - first
        };
        sent.iter().enumerate().map(from).max().unwrap_or(0)
    }

    #[test]
    fn a_rate_too_high_to_remember_is_kept_as_well() {
        for naps in [[0, 0], [3000, 50]] {
            assert!(busiest(&greedy(200_000, 1, &naps)) <= 20_000);
        }
    }

    #[test]
    fn the_rate_is_used() {
        for rate in [1, 10, 99, 1000, 20_000] {
            let sent = greedy(rate, 10, &[0]).len();
            assert!(sent * 100 >= rate as usize * 10 * 95, "{sent} at {rate}");
        }
    }
}
