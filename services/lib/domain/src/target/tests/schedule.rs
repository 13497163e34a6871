//! Schedules as people write them.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::{Cron, Every, Schedule, Window};

#[test]
fn windows_return() {
    for (text, printed) in [
        ("08:00-18:00", "08:00-18:00"),
        ("Mon-Sun 08:00-18:00", "08:00-18:00"),
        ("mon-FRI 22:00-06:00", "Mon-Fri 22:00-06:00"),
        ("Sat 00:00-24:00", "Sat 00:00-24:00"),
        ("Fri-Mon  23:59-00:01", "Fri-Mon 23:59-00:01"),
        ("20:00-00:00", "20:00-24:00"),
    ] {
        let window: Window = text.parse().unwrap();
        assert_eq!(window.to_string(), printed);
        assert_eq!(printed.parse(), Ok(window));
    }
    for text in [
        "",
        "08:00",
        "8:00-18:00",
        "08:00-08:00",
        "24:00-08:00",
        "25:00-08:00",
        "08:60-09:00",
        "Mon",
        "Mon 08:00",
        "Mo 08:00-18:00",
        "Mon-Fri-Sat 08:00-18:00",
        "Mon Tue 08:00-18:00",
        "08:00-18:00-20:00",
        "-08:00-18:00",
        "+8:00-18:00",
    ] {
        let told = text.parse::<Window>().unwrap_err().to_string();
        let expected = format!("{text:?} is not a window: use 08:00-18:00 or Mon-Fri 08:00-18:00");
        assert_eq!(told, expected);
    }
}

#[test]
fn cron_expressions_are_five_fields() {
    let cron: Cron = " */10  8-18 * * Mon-Fri".parse().unwrap();
    assert_eq!(cron.to_string(), "*/10 8-18 * * Mon-Fri");
    for (text, part) in [
        ("* * * *", "it does not have five fields"),
        ("* * * * * UTC", "it does not have five fields"),
        ("61 * * * *", "is not a cron expression"),
        ("@hourly", "it does not have five fields"),
    ] {
        let told = text.parse::<Cron>().unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn schedules_are_said_in_words() {
    let mut schedule = Schedule::every(SignedDuration::from_mins(5));
    assert_eq!(schedule.to_string(), "every 5m");
    schedule.closed = ["Mon-Fri 08:00-18:00", "Sun 00:00-24:00"]
        .map(|text| text.parse().unwrap())
        .into();
    assert_eq!(
        schedule.to_string(),
        "every 5m, not Mon-Fri 08:00-18:00 or Sun 00:00-24:00"
    );
    schedule.every = Every::Cron("0 * * * *".parse().unwrap());
    schedule.time_zone = "Europe/Berlin".to_owned();
    schedule.closed.truncate(1);
    assert_eq!(
        schedule.to_string(),
        "at \"0 * * * *\" Europe/Berlin, not Mon-Fri 08:00-18:00"
    );
}

#[test]
fn a_time_zone_has_to_exist() {
    let schedule = Schedule {
        time_zone: "Middle/Earth".to_owned(),
        ..Schedule::every(SignedDuration::from_mins(5))
    };
    let told = schedule.check().unwrap_err().to_string();
    let expected = "\"Middle/Earth\" is not a time zone: use a name such as Europe/Berlin or UTC";
    assert_eq!(told, expected);
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = text.parse::<Window>();
        let _ = text.parse::<Cron>();
    }

    #[test]
    fn every_window_returns(days in "(Mon|Tue|Sun)(-(Mon|Wed|Sun))? ", from in 0_u32..1440, to in 1_u32..=1440) {
        prop_assume!(from != to);
        let time = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let window: Window = format!("{days}{}-{}", time(from), time(to)).parse().unwrap();
        prop_assert_eq!(window.to_string().parse(), Ok(window));
    }
}
