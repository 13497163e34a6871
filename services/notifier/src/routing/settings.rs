//! Rules and maintenance windows as they are written.

use std::fmt::Display;
use std::str::FromStr;

use portwatch_domain::notification::matcher::Matcher;
use portwatch_domain::notification::quiet::Maintenance;
use portwatch_domain::notification::route::{Digest, Rule};
use portwatch_domain::target::{Cron, Every, Schedule, Window};
use portwatch_runtime::settings::List;
use serde::{Deserialize, Serialize};

/// One of `[[notifier.routes]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RouteSettings {
    /// What people call it.
    pub name: String,
    /// What it is about: everything, if nothing is said.
    #[serde(rename = "match")]
    pub matches: MatchSettings,
    /// Who is told; nobody, if the list is empty.
    pub channels: List<String>,
    /// Whether the routes after it are looked at as well.
    #[serde(rename = "continue")]
    pub go_on: bool,
    /// Told in a digest at the times of this cron expression of five fields.
    pub digest: Option<String>,
    /// The time zone of `digest`: UTC.
    pub time_zone: Option<String>,
}

/// One of `[[notifier.maintenance]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MaintenanceSettings {
    /// What people call it.
    pub name: String,
    /// What it is about: everything, if nothing is said.
    #[serde(rename = "match")]
    pub matches: MatchSettings,
    /// When: `Sun 02:00-04:00`.
    pub windows: List<String>,
    /// The time zone of the windows: UTC.
    pub time_zone: Option<String>,
}

/// What a change must be like. What is left out asks for nothing; of a list, any item will do. Texts may have `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MatchSettings {
    /// The target's group.
    #[serde(skip_serializing_if = "is_empty")]
    pub groups: List<String>,
    /// The target's name.
    #[serde(skip_serializing_if = "is_empty")]
    pub targets: List<String>,
    /// One of the target's tags.
    #[serde(skip_serializing_if = "is_empty")]
    pub tags: List<String>,
    /// The zone.
    #[serde(skip_serializing_if = "is_empty")]
    pub zones: List<String>,
    /// Names, addresses, ranges and CIDR blocks of hosts.
    #[serde(skip_serializing_if = "is_empty")]
    pub hosts: List<String>,
    /// Kinds of change: `port.opened`, `host.*`.
    #[serde(skip_serializing_if = "is_empty")]
    pub kinds: List<String>,
    /// Ports: `22,80,8000-8100`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// Whether the port should be in its new state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<bool>,
    /// At least: `info`, `low`, `medium`, `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

/// What is wrong with a matcher.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMatch(String);

fn is_empty(list: &List<String>) -> bool {
    list.0.is_empty()
}

fn one<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<T, InvalidMatch> {
    let wrong = |error| InvalidMatch(format!("{key}: {error}"));
    text.parse().map_err(wrong)
}

fn all<T: FromStr<Err: Display>>(key: &str, texts: &List<String>) -> Result<Vec<T>, InvalidMatch> {
    texts.0.iter().map(|text| one(key, text)).collect()
}

impl MatchSettings {
    /// The matcher.
    ///
    /// # Errors
    /// Names the first key that is wrong.
    pub fn matcher(&self) -> Result<Matcher, InvalidMatch> {
        let ports = self.ports.as_deref();
        let severity = self.severity.as_deref();
        Ok(Matcher {
            groups: all("groups", &self.groups)?,
            targets: all("targets", &self.targets)?,
            tags: all("tags", &self.tags)?,
            zones: all("zones", &self.zones)?,
            hosts: all("hosts", &self.hosts)?,
            kinds: all("kinds", &self.kinds)?,
            ports: ports.map(|text| one("ports", text)).transpose()?,
            expected: self.expected,
            severity: severity.map(|text| one("severity", text)).transpose()?,
        })
    }
}

fn named(name: &str) -> Result<String, String> {
    if name.is_empty() {
        Err("name: it needs one".to_owned())
    } else {
        Ok(name.to_owned())
    }
}

impl RouteSettings {
    pub(super) fn rule(&self) -> Result<Rule, String> {
        let in_match = |error| format!("match.{error}");
        let digest = self.digest.as_deref().map(|text| self.digest(text));
        if digest.is_none() && self.time_zone.is_some() {
            return Err("time_zone: it goes with digest".to_owned());
        }
        Ok(Rule {
            name: named(&self.name)?,
            matcher: self.matches.matcher().map_err(in_match)?,
            channels: self.channels.0.clone(),
            go_on: self.go_on,
            digest: digest.transpose()?,
        })
    }

    fn digest(&self, text: &str) -> Result<Digest, String> {
        let cron: Cron = text.parse().map_err(|error| format!("digest: {error}"))?;
        let schedule = Schedule {
            every: Every::Cron(cron.clone()),
            closed: Vec::new(),
            time_zone: self.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        };
        schedule
            .check()
            .map_err(|error| format!("digest: {error}"))?;
        Ok(Digest {
            cron,
            time_zone: schedule.time_zone,
        })
    }
}

impl MaintenanceSettings {
    pub(super) fn maintenance(&self) -> Result<Maintenance, String> {
        let windows: Vec<Window> = all("windows", &self.windows).map_err(|e| e.to_string())?;
        if windows.is_empty() {
            return Err("windows: say when, as in Sun 02:00-04:00".to_owned());
        }
        let time_zone = self.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
        // Windows that fill the week are allowed here: nobody is told of that at all.
        let in_zone = Schedule {
            time_zone: time_zone.clone(),
            ..Schedule::every(jiff::SignedDuration::from_hours(1))
        };
        in_zone
            .check()
            .map_err(|error| format!("time_zone: {error}"))?;
        let in_match = |error| format!("match.{error}");
        Ok(Maintenance {
            name: named(&self.name)?,
            matcher: self.matches.matcher().map_err(in_match)?,
            windows,
            time_zone,
        })
    }
}
