//! The grid of slots, under any clock.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::due::{deadline, first_slot, next_slot, overdue_at, rebased, slots_missed};
use super::{scheduled, target};
use crate::target::{Every, Schedule, Target, TargetId};

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

fn every(interval: SignedDuration) -> Target {
    scheduled(Schedule::every(interval))
}

proptest! {
    #[test]
    fn the_next_slot_is_ahead_on_the_grid_and_the_first_such(
        slot in time(),
        interval in interval(),
        late in jump(),
    ) {
        let now = slot + late;
        let next = next_slot(&every(interval), 2, slot, now);
        prop_assert!(next > now, "never in the past");
        prop_assert!(next >= slot + interval, "a slot is taken once");
        let steps = next.duration_since(slot).as_nanos();
        prop_assert_eq!(steps % interval.as_nanos(), 0, "on the grid");
        prop_assert!(next - interval <= now.max(slot), "no slot is left out");
    }

    #[test]
    fn slots_missed_are_those_between(slot in time(), interval in interval(), late in jump()) {
        let (now, target) = (slot + late, every(interval));
        let next = next_slot(&target, 2, slot, now);
        let missed = slots_missed(&target, 2, slot, now);
        let steps = next.duration_since(slot).as_nanos() / interval.as_nanos();
        prop_assert_eq!(i128::from(missed), steps - 1);
    }

    /// The first scans come at once, and the second ones are spread over the period.
    #[test]
    fn after_its_first_slot_a_target_has_a_place_of_its_own(
        id in any::<u128>(),
        slot in time(),
        interval in interval(),
    ) {
        let target = Target { id: TargetId(uuid::Uuid::from_u128(id)), ..every(interval) };
        let second = next_slot(&target, 1, slot, slot);
        let waits = second.duration_since(slot);
        prop_assert!(waits >= interval / 4 && waits <= interval * 5 / 4, "{waits}");
        prop_assert_eq!(next_slot(&target, 1, slot, second), second + interval, "the same grid when late");
        prop_assert_eq!(rebased(&target, second, slot), None);
    }

    #[test]
    fn a_slot_too_far_ahead_is_brought_back(now in time(), interval in interval(), ahead in jump()) {
        let (target, next) = (every(interval), now + ahead);
        match rebased(&target, next, now) {
            Some(slot) => {
                prop_assert!(ahead > interval);
                prop_assert_eq!(slot, now, "at once");
            }
            None => prop_assert!(ahead <= interval * 5 / 4),
        }
    }

    #[test]
    fn strange_numbers_do_not_panic(
        slot in any::<i32>(),
        now in any::<i32>(),
        nanos in prop_oneof![Just(i64::MIN), Just(0), Just(i64::MAX), any::<i64>()],
    ) {
        let (slot, now) = (at(slot.into()), at(now.into()));
        for interval in [SignedDuration::from_nanos(nanos), SignedDuration::from_secs(nanos)] {
            for run in [1, 2] {
                let target = Target { schedule: Schedule::every(interval), rate: 0, ..target() };
                prop_assert!(next_slot(&target, run, slot, now) > now);
                slots_missed(&target, run, slot, now);
                rebased(&target, slot, now);
                first_slot(&target, usize::MAX, now);
                prop_assert!(deadline(&target, u64::MAX, now) > now);
            }
        }
    }

    #[test]
    fn a_deadline_leaves_time_for_all_probes_twice(
        now in time(),
        probes in 0_u64..60_000_000,
        rate in 1_u32..1_000_000,
        interval in interval(),
    ) {
        let of_rate = |rate| Target { rate, ..every(interval) };
        let end = deadline(&of_rate(rate), probes, now);
        let needed = (2 * probes / u64::from(rate)).min(7 * 86_400);
        let given = end.duration_since(now).as_secs();
        prop_assert!(given >= i64::try_from(needed).unwrap());
        prop_assert!(deadline(&of_rate(rate), probes + 1, now) >= end, "more work, more time");
        prop_assert!(deadline(&of_rate(rate + 1), probes, now) <= end, "faster, less time");
    }
}

#[test]
fn in_figures() {
    let five = target();
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
        assert_eq!(
            next_slot(&five, 2, slot, now),
            at(next * 1000),
            "{slot} {now}"
        );
        assert_eq!(slots_missed(&five, 2, slot, now), missed, "{slot} {now}");
    }
    // 254 hosts × 1000 ports at 1000 a second, twice; five minutes in the queue; two of grace.
    let end = deadline(&five, 254_000, at(0));
    assert_eq!(end, at((508 + 300 + 120) * 1000));
    // Three slots were not taken, nor did the third one's jobs bring anything.
    let allowance = SignedDuration::from_secs(420);
    assert_eq!(overdue_at(&five, at(0), allowance), at((900 + 420) * 1000));
}

#[test]
fn one_new_target_is_scanned_at_once_and_many_are_spread() {
    let first = |number: u128, new| {
        let target = Target {
            id: TargetId(uuid::Uuid::from_u128(number)),
            ..target()
        };
        first_slot(&target, new, at(0)).duration_since(at(0))
    };
    assert_eq!(first(7, 1), SignedDuration::ZERO);
    let of = |new: u32| {
        let mut all: Vec<_> = (0..new)
            .map(|number| first(number.into(), new as usize))
            .collect();
        all.sort_unstable();
        all
    };
    // 50 a second, while there are few; over the period if there are more.
    let few = of(100);
    assert!(few[99] < SignedDuration::from_secs(2) && few[50] > SignedDuration::from_millis(700));
    let many = of(100_000);
    for tenth in 1..10 {
        let expected = SignedDuration::from_secs(i64::from(tenth) * 30);
        let found = many[usize::try_from(tenth).unwrap() * 10_000];
        assert!(
            (found - expected).abs() < SignedDuration::from_secs(3),
            "{found}"
        );
    }
}

fn cron(expression: &str, time_zone: &str) -> Target {
    scheduled(Schedule {
        every: Every::Cron(expression.parse().unwrap()),
        closed: Vec::new(),
        time_zone: time_zone.to_owned(),
    })
}

/// The next slots, as a clock in the time zone shows them.
fn shown(target: &Target, after: &str, count: usize) -> Vec<String> {
    let zone = jiff::tz::TimeZone::get(&target.schedule.time_zone).unwrap();
    let mut slot: Timestamp = after.parse().unwrap();
    (0..count)
        .map(|_| {
            slot = next_slot(target, 2, slot, slot);
            slot.to_zoned(zone.clone())
                .strftime("%a %d %H:%M%:z")
                .to_string()
        })
        .collect()
}

#[test]
fn cron_by_the_clock_of_its_time_zone() {
    let nightly = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(
        shown(&nightly, "2026-06-01T00:00:00Z", 2),
        ["Mon 01 02:30+02:00", "Tue 02 02:30+02:00"]
    );
    // On 29 March clocks are set from 02:00 to 03:00: the scan of that night is not left out.
    assert_eq!(
        shown(&nightly, "2026-03-27T12:00:00Z", 3),
        [
            "Sat 28 02:30+01:00",
            "Sun 29 03:30+02:00",
            "Mon 30 02:30+02:00"
        ]
    );
    // On 25 October 02:30 comes twice.
    assert_eq!(
        shown(&nightly, "2026-10-24T12:00:00Z", 3),
        [
            "Sun 25 02:30+02:00",
            "Sun 25 02:30+01:00",
            "Mon 26 02:30+01:00"
        ]
    );
    let often = cron("*/20 * * * *", "Europe/Berlin");
    assert_eq!(
        shown(&often, "2026-03-29T00:30:00Z", 3),
        [
            "Sun 29 01:40+01:00",
            "Sun 29 03:00+02:00",
            "Sun 29 03:20+02:00"
        ]
    );
    assert_eq!(
        shown(&cron("0 9 * * Mon-Fri", "UTC"), "2026-06-05T09:00:00Z", 1),
        ["Mon 08 09:00+00:00"]
    );
    assert_eq!(
        shown(&cron("0 0 29 2 *", "UTC"), "2026-06-05T09:00:00Z", 1),
        ["Tue 29 00:00+00:00"]
    );
}

#[test]
fn cron_keeps_its_times_whatever_the_clock_did() {
    let hourly = cron("0 * * * *", "UTC");
    let time = |text: &str| -> Timestamp { text.parse().unwrap() };
    let slot = time("2026-06-01T10:00:00Z");
    let late = time("2026-06-01T13:30:00Z");
    assert_eq!(
        next_slot(&hourly, 1, slot, late),
        time("2026-06-01T14:00:00Z")
    );
    assert_eq!(slots_missed(&hourly, 1, slot, late), 3);
    let back = time("2026-06-01T08:20:00Z");
    assert_eq!(
        next_slot(&hourly, 1, slot, back),
        time("2026-06-01T11:00:00Z")
    );
    assert_eq!(
        rebased(&hourly, slot, back),
        Some(time("2026-06-01T09:00:00Z"))
    );
    assert_eq!(rebased(&hourly, slot, time("2026-06-01T09:10:00Z")), None);
    assert_eq!(first_slot(&hourly, 1, back), time("2026-06-01T09:00:00Z"));
    let overdue = overdue_at(&hourly, slot, SignedDuration::from_mins(2));
    assert_eq!(overdue, time("2026-06-01T13:02:00Z"));
}
