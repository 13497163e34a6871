//! When a target is scanned: at an interval or by cron, and not in closed windows.

mod cron;
mod window;

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use cron::Cron;
pub use window::Window;

/// The shortest interval between two scans of a target.
pub const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How many times of cron are looked at for one that is not closed: one a day for four years.
const CRON_TRIES: u32 = 1_500;

/// A check has no clock; what cron can find from here it finds later as well.
const CRON_CHECKED_FROM: Timestamp = Timestamp::constant(1_767_225_600, 0);

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

/// Whether `at` lies in one of the windows, in a time zone by its IANA name.
pub fn is_within(windows: &[Window], time_zone: &str, at: Timestamp) -> bool {
    let zone = TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
    let instances = window::instances(windows, &zone, at);
    instances
        .iter()
        .any(|&(start, end)| start <= at && at < end)
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
        TimeZone::get(&self.time_zone)
            .map_err(|_| ScheduleError::TimeZone(self.time_zone.clone()))?;
        if window::fill_the_week(&self.closed) {
            return Err(ScheduleError::AlwaysClosed);
        }
        match &self.every {
            Every::Interval(interval) if *interval < MIN_INTERVAL => Err(ScheduleError::Interval),
            Every::Interval(_) => Ok(()),
            Every::Cron(cron) => {
                cron.check(&self.time_zone)?;
                let begin = self.cron_after(CRON_CHECKED_FROM);
                begin.map(|_| ()).ok_or(ScheduleError::AlwaysClosed)
            }
        }
    }

    /// The time from one scan to the next: the interval, or what lies between the next two times of cron.
    pub fn period(&self, now: Timestamp) -> SignedDuration {
        match &self.every {
            Every::Interval(interval) => (*interval).max(MIN_INTERVAL),
            Every::Cron(_) => {
                let first = self.cron_after(now);
                let second = first.and_then(|first| self.cron_after(first));
                first
                    .zip(second)
                    .map_or(DAY, |(first, second)| second.duration_since(first))
            }
        }
    }

    /// The end of the closed time that `at` lies in; `None` if `at` is open.
    pub fn closed_until(&self, at: Timestamp) -> Option<Timestamp> {
        if self.closed.is_empty() {
            return None;
        }
        let zone = self.zone();
        let windows = window::instances(&self.closed, &zone, at);
        let mut until = at;
        while let Some(&(_, end)) = windows
            .iter()
            .find(|&&(start, end)| start <= until && until < end)
        {
            until = end;
        }
        (until > at).then_some(until)
    }

    /// When the next closed time begins that begins after `at`; `None` without windows.
    pub fn closes_after(&self, at: Timestamp) -> Option<Timestamp> {
        if self.closed.is_empty() {
            return None;
        }
        let windows = window::instances(&self.closed, &self.zone(), at);
        let starts = windows.iter().map(|&(start, _)| start);
        starts.filter(|&start| start > at).min()
    }

    /// The first time of cron after `at` that is not closed; `None` for an interval, or if there is none in years.
    pub(crate) fn cron_after(&self, at: Timestamp) -> Option<Timestamp> {
        let Every::Cron(cron) = &self.every else {
            return None;
        };
        let zone = self.zone();
        let times = cron.times(&self.time_zone)?;
        let mut after = at;
        for _ in 0..CRON_TRIES {
            let next = times.after(after, &zone)?;
            match self.closed_until(next) {
                None => return Some(next),
                // The end is open, and may itself be one of cron's times.
                Some(end) => after = end - SignedDuration::from_nanos(1),
            }
        }
        None
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }
}

/// `every 5m`, `at "0 * * * *" Europe/Berlin, not Mon-Fri 08:00-18:00`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.every {
            Every::Interval(interval) => write!(f, "every {interval:#}")?,
            Every::Cron(cron) => write!(f, "at \"{cron}\" {}", self.time_zone)?,
        }
        for (at, window) in self.closed.iter().enumerate() {
            let before = if at == 0 { ", not " } else { " or " };
            write!(f, "{before}{window}")?;
        }
        Ok(())
    }
}
