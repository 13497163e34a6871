//! What changes begin and end.

use super::super::condition::{Phase, conditions};
use super::*;
use crate::change::Changes;
use crate::snapshot::PortState;

/// A port that turns, whether it should be so, and how much that matters.
fn turned(before: PortState, after: PortState, expected: bool) -> Change {
    let mut change = opened();
    if let Transition::Port {
        before: was,
        after: is,
        expected: should,
        ..
    } = &mut change.transition
    {
        (*was, *is, *should) = (before, after, expected);
    }
    change.severity = Severity::of(&change.transition);
    change
}

fn of(change: &Change) -> Vec<(&'static str, Phase)> {
    let changes = Changes {
        about: host(),
        notify: true,
        job: None,
        changes: vec![change.clone()],
    };
    let conditions = conditions(&changes, change).into_iter();
    conditions
        .map(|condition| (condition.name, condition.phase))
        .collect()
}

#[test]
fn a_port_is_as_it_should_be_or_in_one_of_two_conditions() {
    let (open, closed, filtered) = (PortState::Open, PortState::Closed, PortState::Filtered);
    for (before, after, expected, opens, closes) in [
        (closed, open, false, Phase::Begins, Phase::Ends),
        (closed, open, true, Phase::Ends, Phase::Ends),
        (open, closed, false, Phase::Ends, Phase::Begins),
        (open, closed, true, Phase::Ends, Phase::Ends),
        (open, filtered, false, Phase::Ends, Phase::Begins),
    ] {
        let mut conditions = of(&turned(before, after, expected));
        conditions.sort_unstable_by_key(|(name, _)| std::cmp::Reverse(*name));
        let wanted = [("PortOpen", opens), ("PortClosed", closes)];
        assert_eq!(conditions, wanted, "{before} {after} {expected}");
    }
}

#[test]
fn what_begins_has_the_same_key_as_what_ends_it() {
    let key = |change: &Change, name: &str| {
        let changes = Changes {
            about: host(),
            notify: true,
            job: None,
            changes: vec![change.clone()],
        };
        let conditions = conditions(&changes, change);
        let found = conditions.into_iter().find(|one| one.name == name);
        found.map(|one| one.key)
    };
    let (open, closed) = (PortState::Open, PortState::Closed);
    let [to_open, to_closed] =
        [(closed, open), (open, closed)].map(|(before, after)| turned(before, after, false));
    for name in ["PortOpen", "PortClosed"] {
        assert_eq!(key(&to_open, name), key(&to_closed, name));
    }
    assert_ne!(key(&to_open, "PortOpen"), key(&to_open, "PortClosed"));
    assert_eq!(of(&down()), [("HostState", Phase::Begins)]);
}
