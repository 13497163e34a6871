//! The `[scheduler]` section.

use jiff::SignedDuration;
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::{
    Address, Confirm, IpRange, Schedule, Switches, Target, TargetError, TargetId, Zone,
};
use portwatch_runtime::settings::List;
use serde::Deserialize;

use crate::targets::Source;

/// The `[scheduler]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many targets one claim takes at the most.
    pub claim_limit: u32,
    /// How long finished jobs and the inbox are kept.
    pub keep_jobs: SignedDuration,
    /// How long history and ended deliveries are kept.
    pub keep_history: SignedDuration,
    /// How long a name may take to resolve.
    pub resolve_timeout: SignedDuration,
    /// The targets of the settings file.
    pub targets: Vec<TargetSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            claim_limit: 100,
            keep_jobs: SignedDuration::from_hours(24),
            keep_history: SignedDuration::from_hours(14 * 24),
            resolve_timeout: SignedDuration::from_secs(5),
            targets: Vec::new(),
        }
    }
}

/// One `[[scheduler.targets]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TargetSettings {
    /// What people call it; the addresses, if it is not given.
    pub name: String,
    /// Who it belongs to.
    pub group: String,
    /// Which scanner workers can reach it.
    pub zone: String,
    /// Addresses, CIDR blocks, ranges and host names.
    pub addresses: List<String>,
    /// Addresses, CIDR blocks and ranges that are never scanned.
    pub exclude: List<String>,
    /// The ports: `22,80,8000-8100`, `all`, `top100`, `top1000`.
    pub ports: String,
    /// The ports that should be open.
    pub expected: Option<String>,
    /// From the start of one scan to the start of the next.
    pub interval: SignedDuration,
    /// The most probes per second.
    pub rate: u32,
    /// Scanned at all.
    pub enabled: bool,
    /// Changes are told.
    pub notify: bool,
    /// Transitions are kept.
    pub history: bool,
}

impl Default for TargetSettings {
    fn default() -> Self {
        let switches = Switches::default();
        Self {
            name: String::new(),
            group: "default".to_owned(),
            zone: Zone::default().to_string(),
            addresses: List::default(),
            exclude: List::default(),
            ports: "top1000".to_owned(),
            expected: None,
            interval: SignedDuration::from_mins(5),
            rate: 1000,
            enabled: switches.enabled,
            notify: switches.notify,
            history: switches.history,
        }
    }
}

/// A target of the settings cannot be watched; says which one and why.
#[derive(Debug, thiserror::Error)]
#[error("target {name:?}: {cause}")]
pub struct InvalidTarget {
    name: String,
    cause: String,
}

impl InvalidTarget {
    pub(crate) fn twice(name: String) -> Self {
        Self {
            name,
            cause: "another target has this name".to_owned(),
        }
    }
}

impl TargetSettings {
    /// The target that these settings describe.
    ///
    /// # Errors
    /// Says which target is wrong, and what about it.
    pub fn target(&self, source: Source) -> Result<Target, InvalidTarget> {
        let name = if self.name.is_empty() {
            self.addresses.0.join(",")
        } else {
            self.name.clone()
        };
        let invalid = |what: &str, cause: &dyn std::fmt::Display| InvalidTarget {
            name: name.clone(),
            cause: format!("{what}: {cause}"),
        };
        let addresses: Result<Vec<Address>, _> =
            self.addresses.0.iter().map(|a| a.parse()).collect();
        let exclude: Result<Vec<IpRange>, _> = self.exclude.0.iter().map(|a| a.parse()).collect();
        let ports = |what, text: &str| -> Result<PortSet, InvalidTarget> {
            text.parse().map_err(|error| invalid(what, &error))
        };
        let target = Target {
            id: TargetId::derive(source.as_str(), &name),
            group: self.group.clone(),
            zone: self.zone.parse().map_err(|error| invalid("zone", &error))?,
            addresses: addresses.map_err(|error| invalid("addresses", &error))?,
            exclude: exclude.map_err(|error| invalid("exclude", &error))?,
            ports: ports("ports", &self.ports)?,
            expected: self
                .expected
                .as_deref()
                .map(|text| ports("expected", text))
                .transpose()?,
            tags: Vec::new(),
            allowed: PortSet::empty(),
            confirm: Confirm::default(),
            discovery: false,
            follow_names: false,
            schedule: Schedule::every(self.interval),
            rate: self.rate,
            switches: Switches {
                enabled: self.enabled,
                notify: self.notify,
                history: self.history,
            },
            name: name.clone(),
        };
        target.check().map_err(|error: TargetError| InvalidTarget {
            name: name.clone(),
            cause: error.to_string(),
        })?;
        Ok(target)
    }
}
