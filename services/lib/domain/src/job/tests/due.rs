//! The grid of slots, under any clock.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::due::{deadline, next_slot, slots_missed};

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

/// Times of this century, to the millisecond.
fn time() -> impl Strategy<Value = Timestamp> {
    (946_684_800_000_i64..4_102_444_800_000).prop_map(at)
}

/// A second to a week.
fn interval() -> impl Strategy<Value = SignedDuration> {
    (1_000_i64..7 * 86_400_000).prop_map(SignedDuration::from_millis)
}

/// How far a clock can be off, or a scheduler asleep.
fn jump() -> impl Strategy<Value = SignedDuration> {
    (-400 * 86_400_000_i64..400 * 86_400_000).prop_map(SignedDuration::from_millis)
}

proptest! {
    #[test]
    fn the_next_slot_is_ahead_on_the_grid_and_the_first_such(
        slot in time(),
        interval in interval(),
        late in jump(),
    ) {
        let now = slot + late;
        let next = next_slot(slot, interval, now);
        prop_assert!(next > now, "never in the past");
        prop_assert!(next >= slot + interval, "a slot is taken once");
        let steps = next.duration_since(slot).as_nanos();
        prop_assert_eq!(steps % interval.as_nanos(), 0, "on the grid");
        prop_assert!(next - interval <= now.max(slot), "no slot is left out");
    }

    #[test]
    fn slots_missed_are_those_between(slot in time(), interval in interval(), late in jump()) {
        let now = slot + late;
        let next = next_slot(slot, interval, now);
        let missed = slots_missed(slot, interval, now);
        let steps = next.duration_since(slot).as_nanos() / interval.as_nanos();
        prop_assert_eq!(i128::from(missed), steps - 1);
    }

    /// A scheduler that wakes when it likes, on a clock that jumps, takes every slot at most once and
    /// in order, and after the last jump is on time again.
    #[test]
    fn a_clock_that_jumps_doubles_no_slot(
        first in time(),
        interval in interval(),
        jumps in proptest::collection::vec(-3_600_000_i64..3_600_000, 1..30),
    ) {
        let (mut slot, mut now, mut latest) = (first, first, first);
        let mut taken = vec![first];
        for jump in jumps {
            now += SignedDuration::from_millis(jump);
            latest = latest.max(now);
            if slot > now {
                continue;
            }
            slot = next_slot(slot, interval, now);
            taken.push(slot);
        }
        prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(slot <= latest + interval, "no further ahead than the clock has been");
    }

    #[test]
    fn strange_numbers_do_not_panic(
        slot in any::<i32>(),
        now in any::<i32>(),
        nanos in prop_oneof![Just(i64::MIN), Just(0), Just(i64::MAX), any::<i64>()],
    ) {
        let (slot, now) = (at(slot.into()), at(now.into()));
        for interval in [SignedDuration::from_nanos(nanos), SignedDuration::from_secs(nanos)] {
            prop_assert!(next_slot(slot, interval, now) > now);
            slots_missed(slot, interval, now);
            prop_assert!(deadline(now, u64::MAX, 0, interval) > now);
        }
    }

    #[test]
    fn a_deadline_leaves_time_for_all_probes_twice(
        now in time(),
        probes in 0_u64..60_000_000,
        rate in 1_u32..1_000_000,
        interval in interval(),
    ) {
        let end = deadline(now, probes, rate, interval);
        let needed = (2 * probes / u64::from(rate)).min(7 * 86_400);
        let given = end.duration_since(now).as_secs();
        prop_assert!(given >= i64::try_from(needed).unwrap());
        prop_assert!(deadline(now, probes + 1, rate, interval) >= end, "more work, more time");
        prop_assert!(deadline(now, probes, rate + 1, interval) <= end, "faster, less time");
    }
}

#[test]
fn in_figures() {
    let five = SignedDuration::from_mins(5);
    for (slot, now, next, missed) in [
        (0, 0, 300, 0),
        (0, 1, 300, 0),
        (0, 299, 300, 0),
        (0, 300, 600, 1),
        (0, 301, 600, 1),
        (0, 86_400, 86_700, 288),
        // The clock was set back by an hour: the slot that was taken stays taken.
        (3600, 0, 3900, 0),
    ] {
        let (slot, now) = (at(slot * 1000), at(now * 1000));
        assert_eq!(next_slot(slot, five, now), at(next * 1000), "{slot} {now}");
        assert_eq!(slots_missed(slot, five, now), missed, "{slot} {now}");
    }
    // 254 hosts × 1000 ports at 1000 a second, twice; five minutes in the queue; two of grace.
    let end = deadline(at(0), 254_000, 1000, five);
    assert_eq!(end, at((508 + 300 + 120) * 1000));
}
