//! A target as a row.

use jiff::SignedDuration;
use portwatch_domain::target::{Confirm, Every, Schedule, Switches, Target, TargetId};
use serde::Serialize;
use uuid::Uuid;

use super::{Unreadable, micros, number, parse, port_set};

/// What stands for the interval of a target that is scanned by cron.
const BY_CRON: SignedDuration = SignedDuration::from_hours(24);

/// The columns of `targets` that come from its source; two targets are the same if these are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "columns as they are")]
pub(crate) struct TargetColumns {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) group_name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) zone: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) ports: String,
    pub(crate) expected: Option<String>,
    pub(crate) allowed: String,
    pub(crate) interval_us: i64,
    pub(crate) cron: Option<String>,
    pub(crate) time_zone: String,
    pub(crate) closed: Vec<String>,
    pub(crate) confirm_open: i16,
    pub(crate) confirm_close: i16,
    pub(crate) confirm_down: i16,
    pub(crate) discovery: bool,
    pub(crate) follow_names: bool,
    pub(crate) rate: i64,
    pub(crate) enabled: bool,
    pub(crate) notify: bool,
    pub(crate) history: bool,
}

impl From<&Target> for TargetColumns {
    fn from(target: &Target) -> Self {
        let (interval, cron) = match &target.schedule.every {
            Every::Interval(interval) => (*interval, None),
            Every::Cron(cron) => (BY_CRON, Some(cron.to_string())),
        };
        Self {
            id: target.id.0,
            name: target.name.clone(),
            group_name: target.group.clone(),
            tags: target.tags.clone(),
            zone: target.zone.to_string(),
            addresses: texts(&target.addresses),
            exclude: texts(&target.exclude),
            // A hundred thousand targets have the same thousand ports.
            ports: target.ports.in_short(),
            expected: target.expected.as_ref().map(ToString::to_string),
            allowed: target.allowed.to_string(),
            interval_us: micros(interval),
            cron,
            time_zone: target.schedule.time_zone.clone(),
            closed: texts(&target.schedule.closed),
            confirm_open: target.confirm.open.into(),
            confirm_close: target.confirm.close.into(),
            confirm_down: target.confirm.down.into(),
            discovery: target.discovery,
            follow_names: target.follow_names,
            rate: target.rate.into(),
            enabled: target.switches.enabled,
            notify: target.switches.notify,
            history: target.switches.history,
        }
    }
}

impl TargetColumns {
    pub(crate) fn target(self) -> Result<Target, Unreadable> {
        let every = match &self.cron {
            Some(cron) => Every::Cron(parse("cron", cron)?),
            None => Every::Interval(SignedDuration::from_micros(self.interval_us)),
        };
        let schedule = Schedule {
            every,
            closed: list("closed", &self.closed)?,
            time_zone: self.time_zone,
        };
        let confirm = Confirm {
            open: number("confirm_open", self.confirm_open.into())?,
            close: number("confirm_close", self.confirm_close.into())?,
            down: number("confirm_down", self.confirm_down.into())?,
        };
        Ok(Target {
            id: TargetId(self.id),
            name: self.name,
            group: self.group_name,
            tags: self.tags,
            zone: parse("zone", &self.zone)?,
            addresses: list("addresses", &self.addresses)?,
            exclude: list("exclude", &self.exclude)?,
            ports: port_set("ports", &self.ports)?,
            expected: self
                .expected
                .map(|expected| port_set("expected", &expected))
                .transpose()?,
            allowed: port_set("allowed", &self.allowed)?,
            confirm,
            schedule,
            discovery: self.discovery,
            follow_names: self.follow_names,
            rate: number("rate", self.rate)?,
            switches: Switches {
                enabled: self.enabled,
                notify: self.notify,
                history: self.history,
            },
        })
    }

    /// Takes other switches.
    pub(crate) fn switch(&mut self, switches: Switches) {
        self.enabled = switches.enabled;
        self.notify = switches.notify;
        self.history = switches.history;
    }

    /// Whether the schedule is the same.
    pub(crate) fn is_scheduled_like(&self, other: &Self) -> bool {
        let of = |row: &Self| {
            let windows = (row.time_zone.clone(), row.closed.clone());
            (row.interval_us, row.cron.clone(), windows)
        };
        of(self) == of(other)
    }
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn list<T: std::str::FromStr<Err: std::fmt::Display>>(
    column: &'static str,
    items: &[String],
) -> Result<Vec<T>, Unreadable> {
    items.iter().map(|item| parse(column, item)).collect()
}
