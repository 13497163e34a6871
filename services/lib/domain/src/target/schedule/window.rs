//! Closed windows: parts of the week in which no scan begins.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use super::ScheduleError;

/// A part of each day in which no scan begins: `08:00-18:00`, `Mon-Fri 22:00-06:00`, `Sat-Sun 00:00-24:00`. The end
/// is not part of it; one that ends before it begins goes over midnight, and belongs to the day on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    days: (Weekday, Weekday),
    from: Time,
    /// The day's own end, or the next day's if it is not after `from`; midnight is the end of the day.
    to: Time,
}

const MINUTES_A_DAY: usize = 24 * 60;

/// True if the windows leave no minute of the week.
pub(super) fn fill_the_week(windows: &[Window]) -> bool {
    let mut open = vec![true; 7 * MINUTES_A_DAY];
    for window in windows {
        for day in (0..7).filter(|&day| window.begins_on(day)) {
            let start = day * MINUTES_A_DAY + minute(window.from);
            for at in start..start + window.minutes() {
                open[at % (7 * MINUTES_A_DAY)] = false;
            }
        }
    }
    !open.contains(&true)
}

/// When the windows around `at` begin and end: from two days before to nine days after. Where clocks are set, the
/// longer reading counts.
pub(super) fn instances(
    windows: &[Window],
    zone: &TimeZone,
    at: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let today = zone.to_datetime(at).date();
    let days = (-2..=9).filter_map(|day| today.checked_add(day.days()).ok());
    days.flat_map(|day| windows.iter().map(move |window| (day, window)))
        .filter(|(day, window)| window.begins_on(usize::from(monday_based(day.weekday()))))
        .filter_map(|(day, window)| window.on(day, zone))
        .collect()
}

impl Window {
    /// Whether it begins on a day of the week, Monday being 0.
    fn begins_on(&self, day: usize) -> bool {
        let (first, last) = self.days;
        let (first, last) = (
            usize::from(monday_based(first)),
            usize::from(monday_based(last)),
        );
        if first <= last {
            (first..=last).contains(&day)
        } else {
            day >= first || day <= last
        }
    }

    fn goes_over_midnight(&self) -> bool {
        self.to <= self.from
    }

    fn minutes(&self) -> usize {
        let (from, to) = (minute(self.from), minute(self.to));
        if self.goes_over_midnight() {
            to + MINUTES_A_DAY - from
        } else {
            to - from
        }
    }

    /// When it begins and ends that begins on this day.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let last = if self.goes_over_midnight() {
            day.tomorrow().ok()?
        } else {
            day
        };
        let start = moment(day.to_datetime(self.from), zone, false)?;
        let end = moment(last.to_datetime(self.to), zone, true)?;
        (start < end).then_some((start, end))
    }
}

/// When a clock in the zone shows this: the first or the last time if it does twice, and when it is set forward
/// past it if it never does.
fn moment(shown: DateTime, zone: &TimeZone, last: bool) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => {
            let before = ambiguous.earlier().ok()?;
            let mut changes = zone.following(before);
            changes.next().map(|change| change.timestamp())
        }
        _ if last => ambiguous.later().ok(),
        _ => ambiguous.earlier().ok(),
    }
}

fn minute(time: Time) -> usize {
    let minutes = i32::from(time.hour()) * 60 + i32::from(time.minute());
    usize::try_from(minutes).unwrap_or_default()
}

fn monday_based(day: Weekday) -> u8 {
    u8::try_from(day.to_monday_zero_offset()).unwrap_or_default()
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.days;
        if (first, last) != (Weekday::Monday, Weekday::Sunday) {
            write!(f, "{}", short(first))?;
            if first != last {
                write!(f, "-{}", short(last))?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{:02}:{:02}-", self.from.hour(), self.from.minute())?;
        if self.to == Time::midnight() {
            return f.write_str("24:00");
        }
        write!(f, "{:02}:{:02}", self.to.hour(), self.to.minute())
    }
}

impl FromStr for Window {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let wrong = || ScheduleError::Window(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, times) = match words.as_slice() {
            [times] => ("Mon-Sun", *times),
            [days, times] => (*days, *times),
            _ => return Err(wrong()),
        };
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (from, to) = times.split_once('-').ok_or_else(wrong)?;
        if from == to || from == "24:00" {
            return Err(wrong());
        }
        Ok(Self {
            days: (
                weekday(first).ok_or_else(wrong)?,
                weekday(last).ok_or_else(wrong)?,
            ),
            from: time(from).ok_or_else(wrong)?,
            to: time(to).ok_or_else(wrong)?,
        })
    }
}

const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "Mon"),
    (Weekday::Tuesday, "Tue"),
    (Weekday::Wednesday, "Wed"),
    (Weekday::Thursday, "Thu"),
    (Weekday::Friday, "Fri"),
    (Weekday::Saturday, "Sat"),
    (Weekday::Sunday, "Sun"),
];

fn short(day: Weekday) -> &'static str {
    let found = WEEKDAYS.iter().find(|(known, _)| *known == day);
    found.map_or("", |&(_, word)| word)
}

fn weekday(word: &str) -> Option<Weekday> {
    let found = WEEKDAYS
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(word));
    found.map(|&(day, _)| day)
}

/// `08:00`; `24:00` is the midnight at the end of a day.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    if (hour, minute) == (24, 0) {
        return Some(Time::midnight());
    }
    Time::new(hour, minute, 0, 0).ok()
}
