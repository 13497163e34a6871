//! Cron expressions: when they fire, also in the nights in which clocks are set.

use std::fmt;
use std::str::FromStr;

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::ScheduleError;

/// A cron expression of five fields, without a time zone: `*/10 8-18 * * Mon-Fri`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron(String);

/// An expression, ready to be asked.
pub(super) struct Times {
    /// In its time zone.
    local: Crontab,
    /// The same fields in UTC, to ask about hours that a time zone leaves out.
    civil: Crontab,
}

impl Cron {
    /// Checks that it can be read, and fires at all.
    pub(super) fn check(&self, time_zone: &str) -> Result<(), ScheduleError> {
        let crontab = self.crontab(time_zone)?;
        crontab
            .find_next(super::CRON_CHECKED_FROM)
            .map(|_| ())
            .map_err(|cause| self.error(cause))
    }

    pub(super) fn times(&self, time_zone: &str) -> Option<Times> {
        Some(Times {
            local: self.crontab(time_zone).ok()?,
            civil: self.crontab("UTC").ok()?,
        })
    }

    /// The expression in a time zone.
    fn crontab(&self, time_zone: &str) -> Result<Crontab, ScheduleError> {
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        cronexpr::parse_crontab_with(&format!("{} {time_zone}", self.0), options)
            .map_err(|cause| self.error(cause))
    }

    fn error(&self, cause: impl fmt::Display) -> ScheduleError {
        ScheduleError::Cron {
            text: self.0.clone(),
            cause: cause.to_string(),
        }
    }
}

impl Times {
    /// The first time after `at`. A time that is left out when clocks are set forward comes as much later as they
    /// are set; one that is passed twice when they are set back comes twice.
    pub(super) fn after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let found = self.local.find_next(at).ok().map(|next| next.timestamp());
        let until = found.unwrap_or(Timestamp::MAX);
        let changes = zone.following(at).map(|change| change.timestamp());
        let mut left_out = changes
            .take_while(|&change| change < until)
            .take(8)
            .filter_map(|change| self.left_out(change, zone));
        left_out.next().filter(|&moved| moved < until).or(found)
    }

    /// The first time that the change of clocks at this moment left out, moved to after it.
    fn left_out(&self, change: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let before = zone.to_offset(change - jiff::SignedDuration::from_nanos(1));
        let gap = before.to_datetime(change);
        let minute_before = gap.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let minute_before = minute_before - jiff::SignedDuration::from_secs(60);
        let next = self.civil.find_next(minute_before).ok()?.datetime();
        match zone.to_ambiguous_timestamp(next).offset() {
            AmbiguousOffset::Gap { .. } => zone.to_timestamp(next).ok(),
            _ => None,
        }
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
