//! Settings to targets: each value is read where it stands, so that an error names its place.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::str::FromStr;

use jiff::SignedDuration;
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::{
    Confirm, Cron, Every, Schedule, ScheduleError, Switches, Target, TargetError, TargetId, Window,
    Zone,
};
use portwatch_runtime::settings::List;

use super::policy::Policy;
use super::{GroupSettings, TargetSettings};
use crate::targets::Source;

/// The group of targets that name none.
const NO_GROUP: &str = "default";

/// A target or group of the settings cannot be used; says which one, which field, and why.
#[derive(Debug, thiserror::Error)]
#[error("{of} {name:?}: {cause}")]
pub struct InvalidTarget {
    of: &'static str,
    name: String,
    cause: String,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    of: &'static str,
    name: &'a str,
}

impl Place<'_> {
    fn invalid(self, cause: impl Display) -> InvalidTarget {
        InvalidTarget {
            of: self.of,
            name: self.name.to_owned(),
            cause: cause.to_string(),
        }
    }

    fn read<T: FromStr<Err: Display>>(self, field: &str, text: &str) -> Result<T, InvalidTarget> {
        let error = |error| self.invalid(format_args!("{field}: {error}"));
        text.parse().map_err(error)
    }

    fn optional<T: FromStr<Err: Display>>(
        self,
        field: &str,
        text: Option<&String>,
    ) -> Result<Option<T>, InvalidTarget> {
        text.map(|text| self.read(field, text)).transpose()
    }

    fn list<T: FromStr<Err: Display>>(
        self,
        field: &str,
        texts: &List<String>,
    ) -> Result<Vec<T>, InvalidTarget> {
        texts.0.iter().map(|text| self.read(field, text)).collect()
    }

    /// A set of ports that may be none.
    fn ports(self, field: &str, text: Option<&String>) -> Result<Option<PortSet>, InvalidTarget> {
        if text.is_some_and(|text| text.trim() == "none") {
            return Ok(Some(PortSet::empty()));
        }
        self.optional(field, text)
    }
}

/// A policy whose values could be read. What is `None` was not said.
#[derive(Clone, Debug, Default)]
struct Read {
    zone: Option<Zone>,
    ports: Option<PortSet>,
    expected: Option<PortSet>,
    allowed: Option<PortSet>,
    every: Option<Every>,
    closed: Option<Vec<Window>>,
    /// What needs no reading.
    plain: Policy,
}

impl Read {
    fn of(policy: Policy, at: Place<'_>) -> Result<Self, InvalidTarget> {
        let cron: Option<Cron> = at.optional("cron", policy.cron.as_ref())?;
        let every = match (policy.interval, cron) {
            (Some(_), Some(_)) => {
                return Err(at.invalid("interval and cron are both set: keep one"));
            }
            (Some(interval), None) => Some(Every::Interval(interval)),
            (None, cron) => cron.map(Every::Cron),
        };
        let closed = policy.closed.as_ref();
        Ok(Self {
            zone: at.optional("zone", policy.zone.as_ref())?,
            ports: at.optional("ports", policy.ports.as_ref())?,
            expected: at.ports("expected", policy.expected.as_ref())?,
            allowed: at.ports("allowed", policy.allowed.as_ref())?,
            every,
            closed: closed.map(|list| at.list("closed", list)).transpose()?,
            plain: policy,
        })
    }

    /// This, and where it says nothing what its group says.
    fn or(self, group: Self) -> Self {
        let (own, other) = (self.plain, group.plain);
        Self {
            zone: self.zone.or(group.zone),
            ports: self.ports.or(group.ports),
            expected: self.expected.or(group.expected),
            allowed: self.allowed.or(group.allowed),
            every: self.every.or(group.every),
            closed: self.closed.or(group.closed),
            plain: Policy {
                confirm_open: own.confirm_open.or(other.confirm_open),
                confirm_close: own.confirm_close.or(other.confirm_close),
                confirm_down: own.confirm_down.or(other.confirm_down),
                time_zone: own.time_zone.or(other.time_zone),
                discovery: own.discovery.or(other.discovery),
                follow_names: own.follow_names.or(other.follow_names),
                rate: own.rate.or(other.rate),
                tags: own.tags.or(other.tags),
                enabled: own.enabled.or(other.enabled),
                notify: own.notify.or(other.notify),
                history: own.history.or(other.history),
                ..Policy::default()
            },
        }
    }

    fn schedule(&self) -> Schedule {
        let five_minutes = Every::Interval(SignedDuration::from_mins(5));
        Schedule {
            every: self.every.clone().unwrap_or(five_minutes),
            closed: self.closed.clone().unwrap_or_default(),
            time_zone: self
                .plain
                .time_zone
                .clone()
                .unwrap_or_else(|| "UTC".to_owned()),
        }
    }

    fn confirm(&self) -> Confirm {
        let usual = Confirm::default();
        Confirm {
            open: self.plain.confirm_open.unwrap_or(usual.open),
            close: self.plain.confirm_close.unwrap_or(usual.close),
            down: self.plain.confirm_down.unwrap_or(usual.down),
        }
    }

    fn switches(&self) -> Switches {
        let usual = Switches::default();
        Switches {
            enabled: self.plain.enabled.unwrap_or(usual.enabled),
            notify: self.plain.notify.unwrap_or(usual.notify),
            history: self.plain.history.unwrap_or(usual.history),
        }
    }
}

/// The groups of the settings, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    said: HashMap<String, Read>,
    /// Those that say how long their history is kept.
    keep_history: HashSet<String>,
}

impl Groups {
    /// Reads the groups; the error names the first that is wrong, and the field.
    pub(crate) fn read(settings: &[GroupSettings]) -> Result<Self, InvalidTarget> {
        let mut groups = Self::default();
        for group in settings {
            let at = Place {
                of: "group",
                name: &group.name,
            };
            if group.name.is_empty() {
                return Err(at.invalid("name: a group needs one"));
            }
            if group.keep_history.is_some_and(|keep| !keep.is_positive()) {
                return Err(at.invalid("keep_history: not a time to keep anything"));
            }
            let read = Read::of(group.policy(), at)?;
            if groups.said.insert(group.name.clone(), read).is_some() {
                return Err(at.invalid("another group has this name"));
            }
            if group.keep_history.is_some() {
                groups.keep_history.insert(group.name.clone());
            }
        }
        Ok(groups)
    }

    /// Whether this group says when its targets are scanned.
    pub(crate) fn says_when(&self, group: &str) -> bool {
        self.said
            .get(group)
            .is_some_and(|read| read.every.is_some())
    }

    /// Whether this group says how long its history is kept.
    pub(crate) fn says_how_long(&self, group: &str) -> bool {
        self.keep_history.contains(group)
    }
}

impl TargetSettings {
    /// The target that these settings describe, in no group that says anything.
    ///
    /// # Errors
    /// Says which target is wrong, and what about it.
    pub fn target(&self, source: Source) -> Result<Target, InvalidTarget> {
        self.target_in(&Groups::default(), source)
    }

    /// The target that these settings and its group's describe.
    pub(crate) fn target_in(
        &self,
        groups: &Groups,
        source: Source,
    ) -> Result<Target, InvalidTarget> {
        let name = if self.name.is_empty() {
            self.addresses.0.join(",")
        } else {
            self.name.clone()
        };
        let at = Place {
            of: "target",
            name: &name,
        };
        let group = self.group.clone().unwrap_or_else(|| NO_GROUP.to_owned());
        let of_group = groups.said.get(&group).cloned().unwrap_or_default();
        let read = Read::of(self.policy(), at)?.or(of_group);
        let usual_ports = || at.read("ports", "top1000");
        let target = Target {
            id: TargetId::derive(source.as_str(), &name),
            name: name.clone(),
            group,
            addresses: at.list("addresses", &self.addresses)?,
            exclude: at.list("exclude", &self.exclude)?,
            confirm: read.confirm(),
            schedule: read.schedule(),
            switches: read.switches(),
            zone: read.zone.unwrap_or_default(),
            ports: read.ports.map_or_else(usual_ports, Ok)?,
            expected: read.expected,
            allowed: read.allowed.unwrap_or_default(),
            tags: read.plain.tags.unwrap_or_default().0,
            discovery: read.plain.discovery.unwrap_or_default(),
            follow_names: read.plain.follow_names.unwrap_or_default(),
            rate: read.plain.rate.unwrap_or(1000),
        };
        target
            .check()
            .map_err(|error| at.invalid(in_field(error)))?;
        Ok(target)
    }

    /// Another target has the name of this one.
    pub(crate) fn twice(name: &str) -> InvalidTarget {
        let at = Place { of: "target", name };
        at.invalid("another target has this name")
    }
}

/// What is wrong with a target whose values can all be read, with the field where it can be put right.
fn in_field(error: TargetError) -> String {
    let field = match &error {
        TargetError::NoPorts(_) => "ports",
        TargetError::Confirm(_) => "confirm_open, confirm_close, confirm_down",
        TargetError::Rate(_) => "rate",
        TargetError::AllExcluded(_) => "exclude",
        TargetError::Schedule { cause, .. } => match cause {
            ScheduleError::Interval => "interval",
            ScheduleError::Cron { .. } => "cron",
            ScheduleError::TimeZone(_) => "time_zone",
            ScheduleError::Window(_) | ScheduleError::AlwaysClosed => "closed",
        },
        TargetError::NoAddresses(_)
        | TargetError::TooManyHosts { .. }
        | TargetError::NotAHost { .. } => "addresses",
    };
    match error {
        TargetError::Schedule { cause, .. } => format!("{field}: {cause}"),
        other => format!("{field}: {other}"),
    }
}
