//! A target as a row.

use jiff::SignedDuration;
use portwatch_domain::target::{Schedule, Switches, Target, TargetId};
use serde::Serialize;
use uuid::Uuid;

use super::{Unreadable, micros, number, parse, port_set};

/// The columns of `targets` that come from its source; two targets are the same if these are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TargetColumns {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) group_name: String,
    pub(crate) zone: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) ports: String,
    pub(crate) expected: Option<String>,
    pub(crate) interval_us: i64,
    pub(crate) rate: i64,
    pub(crate) enabled: bool,
    pub(crate) notify: bool,
    pub(crate) history: bool,
}

impl From<&Target> for TargetColumns {
    fn from(target: &Target) -> Self {
        Self {
            id: target.id.0,
            name: target.name.clone(),
            group_name: target.group.clone(),
            zone: target.zone.to_string(),
            addresses: target.addresses.iter().map(ToString::to_string).collect(),
            exclude: target.exclude.iter().map(ToString::to_string).collect(),
            ports: target.ports.to_string(),
            expected: target.expected.as_ref().map(ToString::to_string),
            interval_us: micros(target.schedule.period(jiff::Timestamp::UNIX_EPOCH)),
            rate: target.rate.into(),
            enabled: target.switches.enabled,
            notify: target.switches.notify,
            history: target.switches.history,
        }
    }
}

impl TargetColumns {
    pub(crate) fn target(self) -> Result<Target, Unreadable> {
        Ok(Target {
            id: TargetId(self.id),
            name: self.name,
            group: self.group_name,
            zone: parse("zone", &self.zone)?,
            addresses: list("addresses", &self.addresses)?,
            exclude: list("exclude", &self.exclude)?,
            ports: port_set("ports", &self.ports)?,
            expected: self
                .expected
                .map(|expected| port_set("expected", &expected))
                .transpose()?,
            tags: Vec::new(),
            allowed: portwatch_domain::ports::PortSet::empty(),
            confirm: portwatch_domain::target::Confirm::default(),
            discovery: false,
            follow_names: false,
            schedule: Schedule::every(SignedDuration::from_micros(self.interval_us)),
            rate: number("rate", self.rate)?,
            switches: Switches {
                enabled: self.enabled,
                notify: self.notify,
                history: self.history,
            },
        })
    }
}

fn list<T: std::str::FromStr<Err: std::fmt::Display>>(
    column: &'static str,
    items: &[String],
) -> Result<Vec<T>, Unreadable> {
    items.iter().map(|item| parse(column, item)).collect()
}
