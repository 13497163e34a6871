//! One token bucket, as the generic cell rate algorithm (ITU-T I.371): it remembers a single instant.

use std::time::Duration;

use super::Moment;

/// The window in which a rate may not be exceeded.
pub(crate) const WINDOW: Duration = Duration::from_millis(100);
/// How much may leave at once after a pause: what a millisecond brings, because threads sleep about that coarsely.
const BURST: Duration = Duration::from_millis(1);

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

    /// When the next packet may pass of a bucket that is `due` then: `now` or later.
    pub(crate) fn next(&self, now: Moment, due: Moment) -> Moment {
        now.max(due.saturating_sub(self.tolerance))
    }

    /// When a bucket is due after one packet has passed at `now`.
    pub(crate) fn after(&self, now: Moment, due: Moment) -> Moment {
        due.max(now) + self.interval
    }
}

/// Lets packets pass at a rate.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pace: Pace,
    /// The theoretical arrival time of the next packet.
    due: Moment,
}

impl Bucket {
    /// A full bucket of `rate` packets per second, at least 1.
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            pace: Pace::new(rate),
            due: Moment::ZERO,
        }
    }

    /// When the next packet may pass: `now` or later.
    pub(crate) fn next(&self, now: Moment) -> Moment {
        self.pace.next(now, self.due)
    }

    /// Lets one packet pass at `now`.
    pub(crate) fn take(&mut self, now: Moment) {
        self.due = self.pace.after(now, self.due);
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
            let sent = greedy(rate, 2, &naps);
            let share = rate.div_ceil(10) as usize;
            for (first, start) in sent.iter().enumerate() {
                let end = sent.partition_point(|&at| at < *start + WINDOW);
                prop_assert!(end - first <= share, "{} in a window of {share}", end - first);
            }
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
