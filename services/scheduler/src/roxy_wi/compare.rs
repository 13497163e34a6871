//! What a sync would change: (targets that are stored, targets that are planned) → differences.

use std::collections::BTreeMap;

use portwatch_domain::target::Target;

/// What becomes of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// It is new.
    New,
    /// It is another in some way.
    Changed,
    /// It is watched no longer; its history stays.
    Gone,
}

impl Becomes {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// A target that a sync changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name, as it will be.
    pub target: String,
    /// Its group, as it will be.
    pub group: String,
    /// What becomes of it.
    pub becomes: Becomes,
    /// For a new one what it is, for a changed one what changes.
    pub what: Vec<String>,
}

/// All differences, by name.
pub(super) fn compare(stored: &[Target], planned: &[Target]) -> Vec<Difference> {
    let mut known: BTreeMap<_, _> = stored.iter().map(|target| (target.id, target)).collect();
    let mut differences = Vec::new();
    for target in planned {
        let (becomes, what) = match known.remove(&target.id) {
            None => (Becomes::New, described(target)),
            Some(before) if before == target => continue,
            Some(before) => (Becomes::Changed, changes(before, target)),
        };
        differences.push(difference(target, becomes, what));
    }
    let gone = known
        .into_values()
        .map(|target| difference(target, Becomes::Gone, Vec::new()));
    differences.extend(gone);
    differences.sort_by(|a, b| (&a.target, &a.group).cmp(&(&b.target, &b.group)));
    differences
}

fn difference(target: &Target, becomes: Becomes, what: Vec<String>) -> Difference {
    Difference {
        target: target.name.clone(),
        group: target.group.clone(),
        becomes,
        what,
    }
}

/// What people look at, in words; each by its name.
fn facts(target: &Target) -> [(&'static str, String); 9] {
    let addresses: Vec<_> = target.addresses.iter().map(ToString::to_string).collect();
    let on = |switch| if switch { "on" } else { "off" }.to_owned();
    [
        ("name", target.name.clone()),
        ("group", target.group.clone()),
        ("address", addresses.join(", ")),
        ("zone", target.zone.to_string()),
        ("schedule", target.schedule.to_string()),
        ("ports", format!("{} of them", target.ports.len())),
        ("enabled", on(target.switches.enabled)),
        ("notify", on(target.switches.notify)),
        ("history", on(target.switches.history)),
    ]
}

fn described(target: &Target) -> Vec<String> {
    let shown = facts(target)
        .into_iter()
        .filter(|(what, _)| !matches!(*what, "name" | "group"));
    shown.map(|(what, is)| format!("{what} {is}")).collect()
}

fn changes(before: &Target, after: &Target) -> Vec<String> {
    let mut changes: Vec<_> = facts(before)
        .into_iter()
        .zip(facts(after))
        .filter(|(was, is)| was != is)
        .map(|((what, was), (_, is))| format!("{what} {was} → {is}"))
        .collect();
    if changes.is_empty() {
        changes.push("what its group's settings say".to_owned());
    }
    changes
}
