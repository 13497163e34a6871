//! What a sync has to write: (what is stored, what the source lists) → rows to make, change, retire.

use std::collections::{HashMap, HashSet};

use portwatch_domain::target::Target;
use uuid::Uuid;

use crate::columns::TargetColumns;
use crate::targets::Synced;

/// A target as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) columns: TargetColumns,
    pub(crate) source: String,
    pub(crate) listed: bool,
}

/// What has to be written.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// New targets, due at once.
    pub(crate) create: Vec<TargetColumns>,
    /// Targets that differ and are due at once: other interval, ports or addresses, or listed again.
    pub(crate) reschedule: Vec<TargetColumns>,
    /// Targets that differ and keep their slot.
    pub(crate) update: Vec<TargetColumns>,
    /// Targets that are no longer listed.
    pub(crate) retire: Vec<Uuid>,
}

impl Plan {
    /// How many rows of each kind.
    pub(crate) fn synced(&self) -> Synced {
        Synced {
            created: self.create.len() as u64,
            updated: (self.reschedule.len() + self.update.len()) as u64,
            retired: self.retire.len() as u64,
        }
    }
}

/// Plans a sync. `stored` holds at least the rows of this source and those with the ids of
/// `targets`. The error names a target that is given twice.
pub(crate) fn plan(stored: Vec<Stored>, source: &str, targets: &[Target]) -> Result<Plan, String> {
    let mut stored: HashMap<Uuid, Stored> = stored
        .into_iter()
        .map(|row| (row.columns.id, row))
        .collect();
    let mut plan = Plan::default();
    let mut seen = HashSet::new();
    for target in targets {
        if !seen.insert(target.id) {
            return Err(format!("the target {:?} is listed twice", target.name));
        }
        let wanted = TargetColumns::from(target);
        match stored.remove(&target.id.0) {
            None => plan.create.push(wanted),
            Some(row) if is_due(&row, &wanted) => plan.reschedule.push(wanted),
            Some(row) if row.columns != wanted || row.source != source => plan.update.push(wanted),
            Some(_) => {}
        }
    }
    let gone = stored
        .into_values()
        .filter(|row| row.listed && row.source == source);
    plan.retire = gone.map(|row| row.columns.id).collect();
    Ok(plan)
}

fn is_due(stored: &Stored, wanted: &TargetColumns) -> bool {
    !stored.listed
        || stored.columns.interval_us != wanted.interval_us
        || stored.columns.ports != wanted.ports
        || stored.columns.addresses != wanted.addresses
}
