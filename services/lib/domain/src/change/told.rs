//! How many changes one message can tell.

use super::{Change, MAX_CHANGES_TOLD, Transition};

/// So many bytes of what listens on a port take the place of one more change in a message.
const BYTES_OF_A_CHANGE: usize = 500;

/// Cuts changes, in their order, into what fits a message: at most [`MAX_CHANGES_TOLD`], and fewer if much is
/// said of what listens there. The same changes are always cut at the same places.
pub fn told_together(changes: &[Change]) -> Vec<&[Change]> {
    let mut messages = Vec::new();
    let (mut start, mut room) = (0, MAX_CHANGES_TOLD);
    for (at, change) in changes.iter().enumerate() {
        let takes = cost(change).min(MAX_CHANGES_TOLD);
        if takes > room {
            messages.push(&changes[start..at]);
            (start, room) = (at, MAX_CHANGES_TOLD);
        }
        room -= takes;
    }
    if start < changes.len() {
        messages.push(&changes[start..]);
    }
    messages
}

fn cost(change: &Change) -> usize {
    match &change.transition {
        Transition::Port {
            service: Some(service),
            ..
        } => 1 + service.weight().div_ceil(BYTES_OF_A_CHANGE),
        Transition::Port { .. } | Transition::Host { .. } => 1,
    }
}
