//! Which runs can be saved: (how their targets stand, which slots are taken, the runs) → what to do with each.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Cause, NewRun};
use crate::columns::cut;

/// How a target stands, locked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// The last run's number.
    pub(crate) run: u64,
    /// Listed and enabled.
    pub(crate) is_watched: bool,
}

/// What becomes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is saved.
    Saved,
    /// Its slot is taken: the target moves on to the next.
    SlotTaken,
    /// Its number is taken, or its target is not watched.
    Refused,
}

/// Decides on runs in their order: each takes its number and its slot from those after it.
pub(crate) fn fates(
    runs: &[NewRun],
    mut targets: HashMap<Uuid, Standing>,
    mut taken: HashSet<(Uuid, Timestamp)>,
) -> Vec<Fate> {
    let fate = |run: &NewRun| {
        let target = run.target.0;
        let slot = run.slot().map(|slot| (target, slot));
        if slot.is_some_and(|slot| taken.contains(&slot)) {
            return Fate::SlotTaken;
        }
        match targets.get_mut(&target) {
            Some(standing) if standing.is_watched && standing.run < run.run => {
                standing.run = run.run;
                taken.extend(slot);
                Fate::Saved
            }
            _ => Fate::Refused,
        }
    };
    runs.iter().map(fate).collect()
}

impl NewRun {
    /// Its slot, to the microsecond.
    pub(crate) fn slot(&self) -> Option<Timestamp> {
        match self.cause {
            Cause::Slot { slot, .. } => Some(cut(slot)),
            Cause::Request(_) => None,
        }
    }

    /// When its target is due next.
    pub(crate) fn next_slot(&self) -> Option<Timestamp> {
        match self.cause {
            Cause::Slot { next_slot, .. } => Some(cut(next_slot)),
            Cause::Request(_) => None,
        }
    }

    /// When its target is overdue once it is finished.
    pub(crate) fn overdue_at(&self) -> Option<Timestamp> {
        match self.cause {
            Cause::Slot { overdue_at, .. } => Some(cut(overdue_at)),
            Cause::Request(_) => None,
        }
    }

    /// Its request.
    pub(crate) fn request(&self) -> Option<Uuid> {
        match self.cause {
            Cause::Slot { .. } => None,
            Cause::Request(id) => Some(id),
        }
    }

    /// Until when the target's next slot waits for its jobs.
    pub(crate) fn busy_until(&self) -> Option<Timestamp> {
        let deadlines = self.jobs.iter().map(|job| cut(job.deadline));
        deadlines.max().filter(|_| self.kind.is_of_schedule())
    }
}
