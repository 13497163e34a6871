//! When a delivery that failed is tried again.

use jiff::{SignedDuration, Timestamp};

/// Waiting times after the first, second, … failed attempt: the schedule that Standard Webhooks
/// recommends. After the last one the delivery is given up, three days after the first.
pub const SCHEDULE: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];

/// The longest wait that a receiver can ask for.
pub const LONGEST_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How an attempt went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may work later.
    Temporary {
        /// What the receiver asked us to wait (RFC 9110 section 10.2.3), if it did.
        retry_after: Option<SignedDuration>,
    },
    /// It will never work.
    Permanent,
    /// Nor will anything else: the receiver wants no more (HTTP 410).
    Gone,
}

/// What happens after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It is given up.
    GiveUp,
}

/// Decides what follows the `attempts`th attempt (counted from 1) having failed at `now`.
///
/// `spread` from 0 to 1 lengthens the wait by up to a tenth, so that deliveries which failed
/// together do not all come back together. The longer of the step and the receiver's wish holds.
pub fn after(attempts: u32, failure: &Failure, now: Timestamp, spread: f64) -> Next {
    let Failure::Temporary { retry_after } = failure else {
        return Next::GiveUp;
    };
    let step = usize::try_from(attempts)
        .ok()
        .and_then(|n| SCHEDULE.get(n.saturating_sub(1)));
    let Some(&step) = step else {
        return Next::GiveUp;
    };
    let spread = step.mul_f64(0.1 * spread.clamp(0.0, 1.0));
    let asked = retry_after
        .unwrap_or_default()
        .clamp(SignedDuration::ZERO, LONGEST_RETRY_AFTER);
    Next::Retry(now + (step + spread).max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn temporary(retry_after: Option<i64>) -> Failure {
        Failure::Temporary {
            retry_after: retry_after.map(SignedDuration::from_secs),
        }
    }

    fn wait(next: Next) -> Option<i64> {
        match next {
            Next::Retry(at) => Some(at.duration_since(NOW).as_secs()),
            Next::GiveUp => None,
        }
    }

    #[test]
    fn follows_the_schedule_then_gives_up() {
        let waits: Vec<_> = (1..=10)
            .map(|n| wait(after(n, &temporary(None), NOW, 0.0)))
            .collect();
        let hours = |h: i64| Some(h * 3600);
        let expected = [
            Some(5),
            Some(300),
            Some(1800),
            hours(2),
            hours(5),
            hours(10),
            hours(14),
            hours(20),
            hours(24),
            None,
        ];
        assert_eq!(waits, expected);
    }

    #[test]
    fn the_longer_of_step_and_wish_holds() {
        assert_eq!(wait(after(1, &temporary(Some(60)), NOW, 0.0)), Some(60));
        assert_eq!(wait(after(2, &temporary(Some(60)), NOW, 0.0)), Some(300));
        assert_eq!(wait(after(1, &temporary(Some(-5)), NOW, 0.0)), Some(5));
        assert_eq!(
            wait(after(1, &temporary(Some(i64::MAX)), NOW, 0.0)),
            Some(86_400)
        );
    }

    #[test]
    fn a_permanent_failure_is_given_up_at_once() {
        for failure in [Failure::Permanent, Failure::Gone] {
            assert_eq!(after(1, &failure, NOW, 0.5), Next::GiveUp);
        }
    }

    #[test]
    fn spread_adds_a_tenth_at_most() {
        assert_eq!(wait(after(2, &temporary(None), NOW, 1.0)), Some(330));
        assert_eq!(wait(after(2, &temporary(None), NOW, 99.0)), Some(330));
    }
}
