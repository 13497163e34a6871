//! How fast a channel may be told, so that a burst waits in the store instead of collecting refusals.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, Instant};

/// What a receiver takes. Each notifier process keeps to it by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many attempts are out at once; `None` for `notifier.attempts_at_once`.
    pub at_once: Option<NonZeroU16>,
    /// How many attempts are begun in any minute; `None` for any number.
    pub per_minute: Option<NonZeroU32>,
}

/// One channel's pace: a token bucket, and the rest that the receiver asked for.
#[derive(Debug)]
pub(crate) struct Pace {
    at_once: usize,
    bucket: Option<Bucket>,
    resting_until: Option<Instant>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    most: f64,
    per_second: f64,
    filled_at: Instant,
}

/// The part of a minute's attempts that may come at once.
const BURST: u32 = 10;

impl Bucket {
    /// A full one. Its size and what flows in during a minute are together `per_minute`, so that no minute has more.
    fn new(per_minute: NonZeroU32, now: Instant) -> Self {
        let most = (per_minute.get() / BURST).max(1);
        let refill = per_minute.get().saturating_sub(most).max(1);
        Self {
            tokens: most.into(),
            most: most.into(),
            per_second: f64::from(refill) / 60.0,
            filled_at: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        let past = now.saturating_duration_since(self.filled_at);
        self.tokens = self
            .most
            .min(self.tokens + past.as_secs_f64() * self.per_second);
        self.filled_at = now;
    }

    /// How long until there is a token.
    fn wait(&self) -> Duration {
        // A millisecond more than it takes, so that one is there then whatever was rounded.
        Duration::from_secs_f64((1.0 - self.tokens).max(0.0) / self.per_second + 0.001)
    }
}

impl Pace {
    /// Nothing was attempted yet; `at_once` is what holds where the channel says nothing.
    pub fn new(limits: Limits, at_once: u16, now: Instant) -> Self {
        Self {
            at_once: limits.at_once.map_or(at_once, NonZeroU16::get).into(),
            bucket: limits.per_minute.map(|most| Bucket::new(most, now)),
            resting_until: None,
        }
    }

    /// How many attempts may begin now, beside those in hand.
    pub fn room(&mut self, in_hand: usize, now: Instant) -> usize {
        if self.resting_until.is_some_and(|until| now < until) {
            return 0;
        }
        let room = self.at_once.saturating_sub(in_hand);
        let Some(bucket) = &mut self.bucket else {
            return room;
        };
        bucket.fill(now);
        let mut tokens = 0;
        while tokens < room
            && bucket.tokens >= f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)) + 1.0
        {
            tokens += 1;
        }
        tokens
    }

    /// So many attempts begin.
    pub fn take(&mut self, attempts: usize) {
        if let Some(bucket) = &mut self.bucket {
            bucket.tokens -= f64::from(u32::try_from(attempts).unwrap_or(u32::MAX));
        }
    }

    /// The receiver asks to be left alone for so long.
    pub fn rest(&mut self, long: Duration, now: Instant) {
        self.resting_until = now.checked_add(long).max(self.resting_until);
    }

    /// How long nothing may begin, however few attempts are in hand; zero if something may.
    pub fn wait(&self, now: Instant) -> Duration {
        let rest = self
            .resting_until
            .map(|until| until.saturating_duration_since(now));
        let empty = self.bucket.as_ref().filter(|bucket| bucket.tokens < 1.0);
        rest.unwrap_or_default()
            .max(empty.map(Bucket::wait).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_minute: u32, at_once: u16) -> (Pace, Instant) {
        let now = Instant::now();
        let limits = Limits {
            at_once: NonZeroU16::new(at_once),
            per_minute: NonZeroU32::new(per_minute),
        };
        (Pace::new(limits, 32, now), now)
    }

    #[test]
    fn without_limits_only_what_is_in_hand_counts() {
        let (mut pace, now) = pace(0, 0);
        assert_eq!(pace.room(0, now), 32);
        pace.take(1_000_000);
        assert_eq!(pace.room(30, now), 2);
        assert_eq!(pace.room(40, now), 0);
        assert_eq!(pace.wait(now), Duration::ZERO);
    }

    #[test]
    fn no_minute_has_more_attempts_than_the_limit() {
        for limit in [1, 2, 7, 12, 20, 30, 60, 600] {
            let (mut pace, start) = pace(limit, 4);
            let mut begun = Vec::new();
            let mut now = start;
            while now < start + Duration::from_mins(10) {
                let room = pace.room(0, now);
                pace.take(room);
                begun.extend(std::iter::repeat_n(now, room));
                now += pace.wait(now).max(Duration::from_millis(10));
            }
            let most = begun.iter().map(|&first| {
                let within = |at: &&Instant| **at >= first && **at < first + Duration::from_mins(1);
                begun.iter().filter(within).count()
            });
            let most = u32::try_from(most.max().unwrap_or(0)).unwrap_or(u32::MAX);
            assert!(most <= limit, "{most} of {limit} in a minute");
            let all = u32::try_from(begun.len()).unwrap_or(0);
            assert!(
                all >= limit * 5,
                "{all} in ten minutes, {limit} in each are allowed"
            );
        }
    }

    #[test]
    fn a_quiet_time_is_saved_up_to_a_small_burst() {
        let (mut pace, now) = pace(60, 0);
        let later = now + Duration::from_hours(24);
        assert_eq!(pace.room(0, later), 6);
        pace.take(6);
        assert_eq!(pace.room(0, later), 0);
        let soon = later + pace.wait(later);
        assert_eq!(pace.room(0, soon), 1);
    }

    #[test]
    fn a_receiver_that_asks_for_rest_gets_it_for_all_deliveries() {
        let (mut pace, now) = pace(0, 0);
        pace.rest(Duration::from_secs(30), now);
        // A shorter wish, to an attempt that was out at the same time, shortens nothing.
        pace.rest(Duration::from_secs(5), now);
        assert_eq!(pace.room(0, now + Duration::from_secs(29)), 0);
        assert_eq!(pace.wait(now), Duration::from_secs(30));
        assert_eq!(pace.room(0, now + Duration::from_secs(30)), 32);
    }
}
