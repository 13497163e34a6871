//! Brings the targets of a source into the store.

use std::collections::HashSet;

use jiff::Timestamp;
use portwatch_domain::target::Target;
use portwatch_store::targets::Synced;
use portwatch_store::{Store, StoreError};

use crate::settings::{GroupSettings, Groups, InvalidTarget, TargetSettings};

/// Who lists a target. A source speaks for its own targets alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The settings file.
    Settings,
    /// The arguments of `portwatch up`.
    CommandLine,
    /// Roxy-WI's list of servers.
    RoxyWi,
}

impl Source {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::CommandLine => "command-line",
            Self::RoxyWi => "roxy-wi",
        }
    }

    /// The targets that these settings describe, with what their groups say.
    ///
    /// # Errors
    /// Names the first target or group that is wrong, or that has the name of another.
    pub fn targets(
        self,
        groups: &[GroupSettings],
        settings: &[TargetSettings],
    ) -> Result<Vec<Target>, InvalidTarget> {
        let groups = Groups::read(groups)?;
        let mut names = HashSet::new();
        settings
            .iter()
            .map(|settings| {
                let target = settings.target_in(&groups, self)?;
                if names.insert(target.name.clone()) {
                    Ok(target)
                } else {
                    Err(TargetSettings::twice(&target.name))
                }
            })
            .collect()
    }
}

/// Makes the targets of a source exactly these.
///
/// # Errors
/// If the store cannot be reached or refuses.
pub async fn sync(store: &Store, source: Source, targets: &[Target]) -> Result<Synced, StoreError> {
    let installation = store.installation().await?;
    let own = |target: &Target| Target {
        id: target.id.within(installation),
        ..target.clone()
    };
    let targets: Vec<Target> = targets.iter().map(own).collect();
    let synced = store
        .sync_targets(source.as_str(), &targets, Timestamp::now())
        .await?;
    tracing::info!(
        source = source.as_str(),
        created = synced.created,
        updated = synced.updated,
        retired = synced.retired,
        "targets synced"
    );
    Ok(synced)
}
