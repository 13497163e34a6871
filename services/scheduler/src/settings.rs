//! The `[scheduler]` section.

mod policy;
mod target;

use jiff::SignedDuration;
use portwatch_store::history::GroupRetention;
use serde::Deserialize;

pub use policy::{GroupSettings, TargetSettings};
pub(crate) use target::Groups;
pub use target::InvalidTarget;

use crate::roxy_wi::RoxyWiSettings;

/// The `[scheduler]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many targets one claim takes at the most.
    pub claim_limit: u32,
    /// How long finished jobs and the inbox are kept.
    pub keep_jobs: SignedDuration,
    /// How long history and ended deliveries are kept, where a group does not say otherwise.
    pub keep_history: SignedDuration,
    /// How long a name may take to resolve.
    pub resolve_timeout: SignedDuration,
    /// What the targets of a group have in common.
    pub groups: Vec<GroupSettings>,
    /// The targets of the settings file.
    pub targets: Vec<TargetSettings>,
    /// Where more targets come from.
    pub roxy_wi: RoxyWiSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            claim_limit: 100,
            keep_jobs: SignedDuration::from_hours(24),
            keep_history: SignedDuration::from_hours(14 * 24),
            resolve_timeout: SignedDuration::from_secs(5),
            groups: Vec::new(),
            targets: Vec::new(),
            roxy_wi: RoxyWiSettings::default(),
        }
    }
}

impl Settings {
    /// The groups whose history is kept for a time of their own.
    pub fn retention(&self) -> Vec<GroupRetention> {
        let own = |group: &GroupSettings| {
            Some(GroupRetention {
                group: group.name.clone(),
                keep_history: group.keep_history?,
            })
        };
        self.groups.iter().filter_map(own).collect()
    }
}
