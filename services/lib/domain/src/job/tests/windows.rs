//! Nothing begins, and nothing goes on, in a closed window.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::due::{deadline, first_slot, next_slot, rebased, slots_missed};
use super::{scheduled, target};
use crate::target::{Every, Schedule, Target};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(every: Every, closed: &[&str], time_zone: &str) -> Schedule {
    Schedule {
        every,
        closed: closed.iter().map(|text| text.parse().unwrap()).collect(),
        time_zone: time_zone.to_owned(),
    }
}

fn every_minutes(minutes: i64) -> Every {
    Every::Interval(SignedDuration::from_mins(minutes))
}

/// By the clock on the wall, the slow and plain way.
fn is_closed(closed: &[&str], time_zone: &str, moment: Timestamp) -> bool {
    let shown = TimeZone::get(time_zone).unwrap().to_datetime(moment);
    let minute = i32::from(shown.hour()) * 60 + i32::from(shown.minute());
    let day = i32::from(shown.weekday().to_monday_zero_offset());
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let number = |name: &str| {
        let place = names.iter().position(|&known| known == name).unwrap();
        i32::try_from(place).unwrap()
    };
    let minutes = |time: &str| {
        let (hour, minute) = time.split_once(':').unwrap();
        hour.parse::<i32>().unwrap() * 60 + minute.parse::<i32>().unwrap()
    };
    closed.iter().any(|window| {
        let (days, times) = window.split_once(' ').unwrap_or(("Mon-Sun", window));
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (first, last) = (number(first), number(last));
        let is_in = |day: i32| (day - first).rem_euclid(7) <= (last - first).rem_euclid(7);
        let (from, to) = times.split_once('-').unwrap();
        let (from, to) = (minutes(from), minutes(to));
        if from < to {
            is_in(day) && (from..to).contains(&minute)
        } else {
            (is_in(day) && minute >= from) || (is_in((day - 1).rem_euclid(7)) && minute < to)
        }
    })
}

#[test]
fn a_slot_in_a_window_moves_to_the_first_outside() {
    let closed = ["Mon-Fri 08:00-18:00"];
    let office = scheduled(schedule(every_minutes(5), &closed, "Europe/Berlin"));
    // A Monday in summer: 08:00 is 06:00 UTC.
    let before = at("2026-06-01T05:57:00Z");
    let after = next_slot(&office, 2, before, before);
    assert_eq!(after, at("2026-06-01T16:02:00Z"), "on the same grid");
    let late = at("2026-06-01T06:30:00Z");
    assert_eq!(next_slot(&office, 2, before, late), after);
    assert_eq!(
        slots_missed(&office, 2, before, late),
        0,
        "closed ones are not missed"
    );
    let evening = at("2026-06-01T16:13:00Z");
    assert_eq!(slots_missed(&office, 2, before, evening), 3);
    assert_eq!(
        next_slot(&office, 2, before, evening),
        at("2026-06-01T16:17:00Z")
    );
    // A new one waits until it opens.
    let first = first_slot(&office, 1, late);
    assert!(first >= at("2026-06-01T16:00:00Z") && first < at("2026-06-01T16:05:00Z"));
    // At the weekend it is open.
    let saturday = at("2026-06-06T09:00:00Z");
    assert_eq!(first_slot(&office, 1, saturday), saturday);
}

#[test]
fn a_deadline_is_when_the_window_begins() {
    let closed = ["08:00-18:00"];
    let office = scheduled(schedule(every_minutes(5), &closed, "UTC"));
    let deadline = |now| deadline(&office, 60_000, at(now));
    assert_eq!(deadline("2026-06-01T07:58:00Z"), at("2026-06-01T08:00:00Z"));
    assert_eq!(deadline("2026-06-01T07:00:00Z"), at("2026-06-01T07:09:00Z"));
}

#[test]
fn a_long_interval_finds_a_short_opening() {
    // Open for 20 minutes a night, and the grid stands at noon.
    let closed = ["03:20-24:00", "00:00-03:00"];
    let nightly = scheduled(schedule(every_minutes(24 * 60), &closed, "Europe/Berlin"));
    let mut slot = at("2026-03-27T12:00:00Z");
    for _ in 0..400 {
        slot = next_slot(&nightly, 2, slot, slot);
        assert!(!is_closed(&closed, "Europe/Berlin", slot), "{slot}");
    }
    let days = slot.duration_since(at("2026-03-27T12:00:00Z")).as_hours() / 24;
    assert!((399..=402).contains(&days), "one a day: {days}");
}

#[test]
fn cron_passes_closed_times_over() {
    let hourly = Every::Cron("30 * * * *".parse().unwrap());
    let target = scheduled(schedule(hourly, &["22:00-06:00"], "America/New_York"));
    let slot = at("2026-06-02T01:30:00Z");
    assert_eq!(
        next_slot(&target, 2, slot, slot),
        at("2026-06-02T10:30:00Z")
    );
    assert_eq!(
        slots_missed(&target, 2, slot, at("2026-06-02T10:29:00Z")),
        0
    );
    assert_eq!(
        slots_missed(&target, 2, slot, at("2026-06-02T11:30:00Z")),
        2
    );
}

#[test]
fn the_hour_in_which_clocks_are_set() {
    // 02:00 to 03:00 does not exist on 29 March, and comes twice on 25 October.
    let closed = ["02:15-02:45"];
    let target = scheduled(schedule(every_minutes(5), &closed, "Europe/Berlin"));
    let until = |text: &str| target.schedule.closed_until(at(text));
    assert_eq!(until("2026-03-29T01:00:00Z"), None);
    assert_eq!(until("2026-10-25T00:14:00Z"), None);
    // From the first 02:15 to the second 02:45.
    let end = Some(at("2026-10-25T01:45:00Z"));
    assert_eq!(until("2026-10-25T00:15:00Z"), end);
    assert_eq!(until("2026-10-25T01:05:00Z"), end);
    assert_eq!(until("2026-10-25T01:45:00Z"), None);
}

const WORLDS: &[(&[&str], &str)] = &[
    (&["08:00-18:00"], "UTC"),
    (
        &["Mon-Fri 08:00-18:00", "Sat-Sun 00:00-24:00"],
        "Europe/Berlin",
    ),
    (&["Mon-Fri 22:00-06:00"], "America/New_York"),
    (&["Fri-Mon 12:00-11:59"], "Asia/Kathmandu"),
    (&["00:00-12:00", "12:00-23:30"], "Australia/Lord_Howe"),
    (&["01:30-02:30", "02:30-03:30"], "Europe/Berlin"),
    (&["Wed 00:00-24:00"], "America/Havana"),
    (&["23:30-00:30"], "Africa/Cairo"),
];

proptest! {
    #[test]
    fn no_slot_and_no_deadline_lies_in_a_window(
        world in 0..WORLDS.len(),
        minutes in prop_oneof![1_i64..15, 15_i64..3_000],
        start in 1_767_225_600_i64..1_830_297_600,
        late in proptest::collection::vec(0_i64..100_000, 10),
        run in 1_u64..3,
    ) {
        let (closed, time_zone) = WORLDS[world];
        let target = scheduled(schedule(every_minutes(minutes), closed, time_zone));
        let mut now = Timestamp::from_second(start).unwrap();
        let mut slot = first_slot(&target, 3, now);
        for late in late {
            prop_assert!(!is_closed(closed, time_zone, slot), "{} in {:?}", slot, closed);
            prop_assert!(slot >= now);
            prop_assert_eq!(rebased(&target, slot, now), None, "where it should be");
            now = slot + SignedDuration::from_secs(late);
            if target.schedule.closed_until(now).is_none() {
                let end = deadline(&target, 100_000, now);
                prop_assert!(end > now);
                prop_assert!(!is_closed(closed, time_zone, end - SignedDuration::from_nanos(1)));
            }
            slot = next_slot(&target, run, slot, now);
            prop_assert!(slot > now);
        }
    }

    #[test]
    fn cron_finds_every_open_time(
        world in 0..WORLDS.len(),
        start in 1_767_225_600_i64..1_830_297_600,
    ) {
        let (closed, time_zone) = WORLDS[world];
        let hourly = || Every::Cron("*/30 * * * *".parse().unwrap());
        let target = scheduled(schedule(hourly(), closed, time_zone));
        let mut expected = scheduled(schedule(hourly(), &[], time_zone));
        expected.schedule.closed.clear();
        let begin = Timestamp::from_second(start).unwrap();
        let (mut slot, mut plain) = (begin, begin);
        for _ in 0..20 {
            slot = next_slot(&target, 2, slot, slot);
            plain = next_slot(&expected, 2, plain, plain);
            while target.schedule.closed_until(plain).is_some() {
                plain = next_slot(&expected, 2, plain, plain);
            }
            prop_assert_eq!(slot, plain);
            prop_assert!(!is_closed(closed, time_zone, slot));
        }
    }
}

#[test]
fn windows_that_leave_no_time_are_refused() {
    let refused = |every: Every, closed: &[&str]| {
        let target = Target {
            schedule: schedule(every, closed, "Europe/Berlin"),
            ..target()
        };
        target.check().map_err(|error| error.to_string())
    };
    let never = Err("the target \"web\": its windows leave no time to scan in".to_owned());
    for closed in [
        &["00:00-24:00"][..],
        &["08:00-20:00", "20:00-08:00"],
        &["Mon-Fri 00:00-24:00", "Sat-Sun 00:00-24:00"],
        &["Sun-Sat 00:00-24:00"],
        &[
            "Mon-Sat 12:00-12:01",
            "Mon-Sun 12:01-12:00",
            "Sun 12:00-12:01",
        ],
    ] {
        assert_eq!(refused(every_minutes(5), closed), never, "{closed:?}");
    }
    assert_eq!(refused(every_minutes(5), &["00:01-24:00"]), Ok(()));
    let cron = |text: &str| Every::Cron(text.parse().unwrap());
    assert_eq!(refused(cron("0 9-17 * * *"), &["08:00-18:00"]), never);
    assert_eq!(refused(cron("0 9-18 * * *"), &["08:00-18:00"]), Ok(()));
    assert_eq!(refused(cron("0 9 * * Mon"), &["Mon 08:00-18:00"]), never);
    let told = refused(cron("0 0 30 2 *"), &[]).unwrap_err();
    assert!(
        told.contains("\"0 0 30 2 *\" is not a cron expression"),
        "{told}"
    );
    assert_eq!(Weekday::Monday.to_monday_zero_offset(), 0);
}
