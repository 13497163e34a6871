//! What a sync has to write: (what is stored, what the source lists) → rows to make, change, retire.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use portwatch_domain::job::due;
use portwatch_domain::target::Target;
use serde::Serialize;
use uuid::Uuid;

use crate::columns::{TargetColumns, Unreadable, cut};
use crate::targets::Synced;

/// A target as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) columns: TargetColumns,
    pub(crate) source: String,
    pub(crate) listed: bool,
}

/// A target and when it is due; a target that keeps its slot is due at no time of its own.
#[derive(Debug, Serialize)]
pub(crate) struct Wanted {
    #[serde(flatten)]
    pub(crate) columns: TargetColumns,
    pub(crate) due: Option<Timestamp>,
    /// When it is overdue unless it is scanned.
    pub(crate) overdue: Option<Timestamp>,
}

/// What has to be written.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// New targets, due soon.
    pub(crate) create: Vec<Wanted>,
    /// Targets that differ and are due soon: other schedule, ports or addresses, listed or enabled again.
    pub(crate) reschedule: Vec<Wanted>,
    /// Targets that differ and keep their slot.
    pub(crate) update: Vec<Wanted>,
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
pub(crate) fn plan(
    stored: Vec<Stored>,
    source: &str,
    targets: &[Target],
    now: Timestamp,
) -> Result<Plan, String> {
    let mut stored: HashMap<Uuid, Stored> = stored
        .into_iter()
        .map(|row| (row.columns.id, row))
        .collect();
    let (mut create, mut reschedule) = (Vec::new(), Vec::new());
    let mut plan = Plan::default();
    let mut seen = HashSet::new();
    for target in targets {
        if !seen.insert(target.id) {
            return Err(format!("the target {:?} is listed twice", target.name));
        }
        let wanted = TargetColumns::from(target);
        match stored.remove(&target.id.0) {
            None => create.push((target, wanted)),
            Some(row) if is_due(&row, &wanted) => reschedule.push((target, wanted)),
            Some(row) if row.columns != wanted || row.source != source => {
                plan.update.push(Wanted {
                    columns: wanted,
                    due: None,
                    overdue: None,
                });
            }
            Some(_) => {}
        }
    }
    let together = create.len() + reschedule.len();
    let soon = |(target, columns): (&Target, TargetColumns)| {
        let first = due::first_slot(target, together, now);
        let allowance = due::deadline(target, 0, first).duration_since(first);
        Wanted {
            columns,
            due: Some(cut(first)),
            overdue: Some(cut(due::overdue_at(target, first, allowance))),
        }
    };
    plan.create = create.into_iter().map(soon).collect();
    plan.reschedule = reschedule.into_iter().map(soon).collect();
    let gone = stored
        .into_values()
        .filter(|row| row.listed && row.source == source);
    plan.retire = gone.map(|row| row.columns.id).collect();
    Ok(plan)
}

/// Rows as targets, by name.
pub(crate) fn by_name(rows: impl IntoIterator<Item = Stored>) -> Result<Vec<Target>, Unreadable> {
    let targets = rows.into_iter().map(|row| row.columns.target());
    let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
    targets.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    Ok(targets)
}

fn is_due(stored: &Stored, wanted: &TargetColumns) -> bool {
    !stored.listed
        || !stored.columns.enabled && wanted.enabled
        || !stored.columns.is_scheduled_like(wanted)
        || stored.columns.ports != wanted.ports
        || stored.columns.addresses != wanted.addresses
}
