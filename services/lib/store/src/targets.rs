//! The targets, as their sources last gave them.

pub(crate) mod sync;

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::target::Target;

use crate::StoreError;

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// New targets.
    pub created: u64,
    /// Targets that now differ from what was stored.
    pub updated: u64,
    /// Targets that their source no longer lists: they are kept, and no longer scanned.
    pub retired: u64,
}

/// Reads and writes targets.
#[async_trait]
pub trait Targets: Send + Sync {
    /// Makes the targets of one source (`settings`, `command-line`, `roxy-wi`) exactly these. A new target is
    /// due soon: at `now` if it comes alone, else spread (`domain::job::due::first_slot`). So is one whose schedule,
    /// ports or addresses changed, or that is listed or enabled again; others keep their slot. A target that is listed again takes up its state and
    /// history where it was. Fails if an id is given twice.
    async fn sync_targets(
        &self,
        source: &str,
        targets: &[Target],
        now: Timestamp,
    ) -> Result<Synced, StoreError>;

    /// All targets that a source lists, enabled or not, by name.
    async fn targets(&self) -> Result<Vec<Target>, StoreError>;

    /// The targets that this source lists, enabled or not, by name.
    async fn targets_of(&self, source: &str) -> Result<Vec<Target>, StoreError>;
}
