//! When a target is scanned: at an interval or by cron, and not in closed windows.

use std::fmt;
use std::str::FromStr;

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The shortest interval between two scans of a target.
pub const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// When a target is scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How often.
    pub every: Every,
    /// When not.
    pub closed: Vec<Window>,
    /// The time zone of windows and of cron, by its IANA name.
    pub time_zone: String,
}

/// How often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Every {
    /// From the start of one scan to the start of the next; at least [`MIN_INTERVAL`].
    Interval(SignedDuration),
    /// At the times of a cron expression of five fields.
    Cron(Cron),
}

/// A cron expression of five fields, without a time zone: `*/10 8-18 * * Mon-Fri`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron(String);

/// A part of each day in which no scan begins: `08:00-18:00`, `Mon-Fri 22:00-06:00`. The end is not part of it; one
/// that ends before it begins goes over midnight, and belongs to the day on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    days: (Weekday, Weekday),
    from: Time,
    to: Time,
}

/// A schedule that cannot be kept, or not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The interval is shorter than [`MIN_INTERVAL`].
    #[error("an interval under 1 s")]
    Interval,
    /// Not a cron expression.
    #[error(
        "{text:?} is not a cron expression of five fields (minute hour day month weekday): {cause}"
    )]
    Cron {
        /// What was given.
        text: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No such time zone.
    #[error("{0:?} is not a time zone: use a name such as Europe/Berlin or UTC")]
    TimeZone(String),
    /// Not a window.
    #[error("{0:?} is not a window: use 08:00-18:00 or Mon-Fri 08:00-18:00")]
    Window(String),
    /// No time is left to scan in.
    #[error("its windows leave no time to scan in")]
    AlwaysClosed,
}

impl Schedule {
    /// At an interval, at any time of the day.
    pub fn every(interval: SignedDuration) -> Self {
        Self {
            every: Every::Interval(interval),
            closed: Vec::new(),
            time_zone: "UTC".to_owned(),
        }
    }

    /// Checks what the types cannot.
    pub fn check(&self) -> Result<(), ScheduleError> {
        self.zone()?;
        match &self.every {
            Every::Interval(interval) if *interval < MIN_INTERVAL => Err(ScheduleError::Interval),
            Every::Interval(_) => Ok(()),
            Every::Cron(cron) => cron.crontab(&self.time_zone).map(|_| ()),
        }
    }

    /// The time from one scan to the next: the interval, or what lies between the next two times of cron.
    pub fn period(&self, now: Timestamp) -> SignedDuration {
        match &self.every {
            Every::Interval(interval) => *interval,
            Every::Cron(cron) => cron.period(&self.time_zone, now),
        }
    }

    fn zone(&self) -> Result<TimeZone, ScheduleError> {
        TimeZone::get(&self.time_zone).map_err(|_| ScheduleError::TimeZone(self.time_zone.clone()))
    }
}

impl Cron {
    /// The expression in a time zone.
    fn crontab(&self, time_zone: &str) -> Result<Crontab, ScheduleError> {
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        cronexpr::parse_crontab_with(&format!("{} {time_zone}", self.0), options).map_err(|cause| {
            ScheduleError::Cron {
                text: self.0.clone(),
                cause: cause.to_string(),
            }
        })
    }

    fn period(&self, time_zone: &str, now: Timestamp) -> SignedDuration {
        let day = SignedDuration::from_hours(24);
        let Ok(crontab) = self.crontab(time_zone) else {
            return day;
        };
        let next = |after: Timestamp| crontab.find_next(after).map(|at| at.timestamp());
        let Ok(first) = next(now) else { return day };
        next(first).map_or(day, |second| second.duration_since(first))
    }
}

/// `every 5m`, `at "0 * * * *" Europe/Berlin, not Mon-Fri 08:00-18:00`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.every {
            Every::Interval(interval) => write!(f, "every {interval:#}")?,
            Every::Cron(cron) => write!(f, "at {:?} {}", cron.0, self.time_zone)?,
        }
        for (at, window) in self.closed.iter().enumerate() {
            let before = if at == 0 { ", not " } else { " or " };
            write!(f, "{before}{window}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cron {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let cron = Self(text.split_whitespace().collect::<Vec<_>>().join(" "));
        if text.split_whitespace().count() != 5 {
            return Err(ScheduleError::Cron {
                text: text.to_owned(),
                cause: "it does not have five fields".to_owned(),
            });
        }
        cron.crontab("UTC")?;
        Ok(cron)
    }
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
        let (from, to) = (self.from, self.to);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from.hour(),
            from.minute(),
            to.hour(),
            to.minute()
        )
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
        let window = Self {
            days: (
                weekday(first).ok_or_else(wrong)?,
                weekday(last).ok_or_else(wrong)?,
            ),
            from: time(from).ok_or_else(wrong)?,
            to: time(to).ok_or_else(wrong)?,
        };
        if window.from == window.to {
            return Err(wrong());
        }
        Ok(window)
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
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    if (hour, minute) == (24, 0) {
        return Some(Time::midnight());
    }
    Time::new(hour, minute, 0, 0).ok()
}
