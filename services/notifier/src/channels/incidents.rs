//! What begins and what ends, for receivers that keep incidents.

use portwatch_domain::change::{Change, ChannelEvent, Transition};
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::condition::{Condition, Phase, conditions};

use super::look::Look;

/// A condition, the change that begins or ends it, and that change in words.
pub(super) type Incident<'a> = (Condition, &'a Change, &'a String);

/// First what ends, then what begins, the gravest first. The end of a test follows it at once: nobody else would tell it.
pub(super) fn of<'a>(notification: &'a Notification, look: &'a Look) -> Vec<Incident<'a>> {
    let changes = &notification.changes;
    let each = changes.changes.iter().zip(&look.lines);
    let mut incidents: Vec<_> = each
        .flat_map(|(change, line)| {
            let conditions = conditions(changes, change).into_iter();
            conditions.map(move |condition| (condition, change, line))
        })
        .collect();
    incidents.sort_by_key(|(condition, change, _)| {
        (
            condition.phase != Phase::Ends,
            std::cmp::Reverse(change.severity),
        )
    });
    let tests = incidents.iter().filter(|(_, change, _)| is_test(change));
    let ends: Vec<_> = tests
        .map(|&(ref begun, change, line)| (ended(begun), change, line))
        .collect();
    incidents.extend(ends);
    incidents
}

const fn is_test(change: &Change) -> bool {
    matches!(change.transition, Transition::Channel(ChannelEvent::Test))
}

fn ended(begun: &Condition) -> Condition {
    Condition {
        phase: Phase::Ends,
        ..begun.clone()
    }
}
