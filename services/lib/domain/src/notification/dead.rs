//! When a receiver counts as dead, so that its channel is switched off.

use jiff::{SignedDuration, Timestamp};

/// So long every attempt fails until a receiver counts as dead; Standard Webhooks recommends several days.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What is known of a receiver when an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When the first attempt failed after which none has succeeded.
    pub since: Timestamp,
    /// It has said that it wants no more.
    pub gone: bool,
    /// Somebody else can be told that it is dead. If nobody can, the fault may well be ours, and switching off helps
    /// nobody.
    pub others_work: bool,
}

/// Whether it counts as dead, now that another attempt has failed.
pub fn is_dead(failing: Failing, now: Timestamp) -> bool {
    failing.gone || (failing.others_work && now.duration_since(failing.since) >= PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_dead_after_five_days_or_when_it_says_so() {
        let since = Timestamp::UNIX_EPOCH;
        for (gone, others_work, days, dead) in [
            (false, true, 0, false),
            (false, true, 4, false),
            (false, true, 5, true),
            // Nobody can be told: perhaps it is us.
            (false, false, 50, false),
            (true, true, 0, true),
            (true, false, 0, true),
        ] {
            let failing = Failing {
                since,
                gone,
                others_work,
            };
            let now = since + SignedDuration::from_hours(24 * days);
            assert_eq!(is_dead(failing, now), dead, "{failing:?} {days}");
        }
        let early = since + (PATIENCE - SignedDuration::from_secs(1));
        let failing = Failing {
            since,
            gone: false,
            others_work: true,
        };
        assert!(!is_dead(failing, early));
    }
}
