//! The targets, as their sources last gave them.

pub(crate) mod sync;

use async_trait::async_trait;
use jiff::Timestamp;
use portwatch_domain::target::{Switches, Switching, Target, TargetId};

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

/// What becomes of what somebody has set in the place of what a target's source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetSwitches {
    /// These are set as well.
    These(Switching),
    /// Nothing is: what the source says counts again.
    AsConfigured,
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

    /// Sets switches of a listed target, and puts it on record. They go before what its source says, also in later
    /// syncs. One that is enabled so is due soon. Gives what counts now; `None`, and nothing happens, if no source
    /// lists the target.
    async fn set_switches(
        &self,
        target: TargetId,
        set: SetSwitches,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Switches>, StoreError>;

    /// The listed targets that have this address: one address, block, range or name, as `Address` writes it.
    async fn targets_with(&self, address: &str) -> Result<Vec<TargetId>, StoreError>;

    /// All targets that a source lists, enabled or not, by name.
    async fn targets(&self) -> Result<Vec<Target>, StoreError>;

    /// The targets that this source lists, enabled or not, by name.
    async fn targets_of(&self, source: &str) -> Result<Vec<Target>, StoreError>;
}
