//! What a sync has to write: (what is stored, what the source lists) → rows to make, change, retire.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use portwatch_domain::job::due;
use portwatch_domain::target::{Switches, Switching, Target};
use serde::Serialize;
use uuid::Uuid;

use crate::columns::{TargetColumns, Unreadable, cut};
use crate::targets::{SetSwitches, Synced};

/// A target as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) columns: TargetColumns,
    pub(crate) source: String,
    pub(crate) listed: bool,
    /// The switches as its source has them.
    pub(crate) own: Switches,
    /// What somebody has set instead.
    pub(crate) set: Switching,
}

/// A target and when it is due; a target that keeps its slot is due at no time of its own.
#[derive(Debug, Serialize)]
pub(crate) struct Wanted {
    #[serde(flatten)]
    pub(crate) columns: TargetColumns,
    #[serde(flatten)]
    pub(crate) own: OwnSwitches,
    pub(crate) due: Option<Timestamp>,
    /// When it is overdue unless it is scanned.
    pub(crate) overdue: Option<Timestamp>,
}

/// The columns of the switches as the source has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OwnSwitches {
    #[serde(rename = "own_enabled")]
    pub(crate) enabled: bool,
    #[serde(rename = "own_notify")]
    pub(crate) notify: bool,
    #[serde(rename = "own_history")]
    pub(crate) history: bool,
}

impl From<Switches> for OwnSwitches {
    fn from(switches: Switches) -> Self {
        let Switches {
            enabled,
            notify,
            history,
        } = switches;
        Self {
            enabled,
            notify,
            history,
        }
    }
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
        let mut wanted = TargetColumns::from(target);
        let Some(row) = stored.remove(&target.id.0) else {
            create.push((target, wanted));
            continue;
        };
        wanted.switch(row.set.over(target.switches));
        if is_due(&row, &wanted) {
            reschedule.push((target, wanted));
        } else if row.columns != wanted || row.source != source || row.own != target.switches {
            plan.update.push(Wanted {
                columns: wanted,
                own: target.switches.into(),
                due: None,
                overdue: None,
            });
        }
    }
    let together = create.len() + reschedule.len();
    let soon = |(target, columns): (&Target, TargetColumns)| {
        let slot = soon(target, together, now);
        Wanted {
            columns,
            own: target.switches.into(),
            due: Some(slot.due),
            overdue: Some(slot.overdue),
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

/// When a target is due that is not to wait for its slot, and when it is overdue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Soon {
    pub(crate) due: Timestamp,
    pub(crate) overdue: Timestamp,
}

/// The first slot of a target, one of so many that are due at once.
fn soon(target: &Target, together: usize, now: Timestamp) -> Soon {
    let first = due::first_slot(target, together, now);
    let allowance = due::deadline(target, 0, first).duration_since(first);
    Soon {
        due: cut(first),
        overdue: cut(due::overdue_at(target, first, allowance)),
    }
}

/// What has to be written when somebody sets switches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set {
    /// What was asked for.
    asked: SetSwitches,
    /// All that is set now in the place of what the source says.
    pub(crate) by_hand: Switching,
    /// What counts.
    pub(crate) switches: Switches,
    /// The slot, if the target is enabled by it.
    pub(crate) soon: Option<Soon>,
}

/// Plans to set switches of a stored target.
pub(crate) fn set(row: Stored, asked: SetSwitches, now: Timestamp) -> Result<Set, Unreadable> {
    let set = match asked {
        SetSwitches::These(these) => these.on_top_of(row.set, row.own),
        SetSwitches::AsConfigured => Switching::default(),
    };
    let switches = set.over(row.own);
    let is_enabled_now = switches.enabled && !row.columns.enabled;
    let target = row.columns.target()?;
    Ok(Set {
        asked,
        by_hand: set,
        switches,
        soon: is_enabled_now.then(|| soon(&target, 1, now)),
    })
}

impl Set {
    /// What is on record of it, in words: what was asked for, and not what others had set before.
    pub(crate) fn detail(&self) -> String {
        match self.asked {
            SetSwitches::These(these) => these.to_string(),
            SetSwitches::AsConfigured => "as configured".to_owned(),
        }
    }
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
