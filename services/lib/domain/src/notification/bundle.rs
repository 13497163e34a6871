//! What is told together: changes that wait for one another, and many hosts in one summary.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::summary::Summary;
use crate::change::{Change, Changes, Transition, told_together};
use crate::ports::Port;

/// Changes that wait to be told to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its place among those of the channel.
    pub seq: i64,
    /// When it is to be told.
    pub due_at: Timestamp,
    /// What is told.
    pub changes: Changes,
}

/// What is told now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Which of those that waited are dealt with.
    pub seqs: Vec<i64>,
    /// One for each host, target or zone.
    pub single: Vec<Changes>,
    /// Or one for all.
    pub summary: Option<Summary>,
    /// How many changes took each other back while they waited.
    pub taken_back: usize,
}

/// What is told at `now` of what waits, in the order of `seq`: each host, target or zone whose time has come, and with
/// more of them than `storm`, whether their time has come or not, all in one summary.
pub fn tell(held: &[Held], storm: Option<usize>, now: Timestamp) -> Told {
    let mut by_subject: BTreeMap<String, Vec<&Held>> = BTreeMap::new();
    for one in held {
        let key = one.changes.order_key();
        by_subject.entry(key).or_default().push(one);
    }
    let is_due = |held: &&[&Held]| held.iter().any(|one| one.due_at <= now);
    if !by_subject.values().any(|held| is_due(&held.as_slice())) {
        return Told::default();
    }
    if storm.is_some_and(|storm| by_subject.len() > storm) {
        return in_one(held, now);
    }
    let mut told = Told::default();
    let due = by_subject.values().filter(|held| is_due(&held.as_slice()));
    for held in due {
        told.seqs.extend(held.iter().map(|one| one.seq));
        let (merged, taken_back) = merge(held.iter().map(|one| &one.changes));
        told.taken_back += taken_back;
        told.single.extend(merged);
    }
    told
}

/// Everything in one summary, as a digest is.
pub fn in_one(held: &[Held], now: Timestamp) -> Told {
    let mut by_subject: BTreeMap<String, Vec<&Changes>> = BTreeMap::new();
    for one in held {
        let key = one.changes.order_key();
        by_subject.entry(key).or_default().push(&one.changes);
    }
    let mut told = Told {
        seqs: held.iter().map(|one| one.seq).collect(),
        ..Told::default()
    };
    let mut all = Vec::new();
    for changes in by_subject.into_values() {
        let (merged, taken_back) = merge(changes);
        told.taken_back += taken_back;
        all.extend(merged);
    }
    told.summary = Summary::of(&all, now);
    told
}

/// The changes of one subject as few messages, without those that took each other back.
fn merge<'a>(changes: impl IntoIterator<Item = &'a Changes>) -> (Vec<Changes>, usize) {
    let mut all: Vec<Change> = Vec::new();
    let mut last = None;
    for one in changes {
        for change in &one.changes {
            // The same change can wait twice if two rules name the channel.
            if !all.iter().any(|known| known.id == change.id) {
                all.push(change.clone());
            }
        }
        last = Some(one);
    }
    let count = all.len();
    take_back(&mut all);
    let taken_back = count - all.len();
    let Some(last) = last else {
        return (Vec::new(), 0);
    };
    let parts = told_together(&all).into_iter().map(|changes| Changes {
        changes: changes.to_vec(),
        ..last.clone()
    });
    (parts.collect(), taken_back)
}

/// What a change turns from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Thing {
    Host,
    Port(Port),
}

fn turns(change: &Change) -> Option<(Thing, String, String)> {
    match &change.transition {
        Transition::Port {
            port,
            before,
            after,
            ..
        } => Some((Thing::Port(*port), before.to_string(), after.to_string())),
        Transition::Host {
            before,
            after,
            suspect: false,
        } => Some((Thing::Host, before.to_string(), after.to_string())),
        _ => None,
    }
}

/// Leaves out what turned and turned back, all of what came between included.
fn take_back(changes: &mut Vec<Change>) {
    let mut ends: HashMap<Thing, (String, String)> = HashMap::new();
    for (thing, before, after) in changes.iter().filter_map(turns) {
        ends.entry(thing).or_insert((before, String::new())).1 = after;
    }
    changes.retain(|change| {
        turns(change).is_none_or(|(thing, ..)| {
            ends.get(&thing)
                .is_none_or(|(before, after)| before != after)
        })
    });
}
