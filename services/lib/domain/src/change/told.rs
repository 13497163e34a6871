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
        Transition::Service { before, after, .. } => {
            1 + (before.weight() + after.weight()).div_ceil(BYTES_OF_A_CHANGE)
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::change::{ChangeId, Severity};
    use crate::ports::Port;
    use crate::snapshot::service::SafeText;
    use crate::snapshot::{Answer, Evidence, PortState, Service};

    fn changes(count: u16, service: Option<&Service>) -> Vec<Change> {
        let change = |number| Change {
            id: ChangeId(Uuid::nil()),
            transition: Transition::Port {
                port: Port::tcp(number),
                before: PortState::Closed,
                after: PortState::Open,
                evidence: Evidence {
                    answer: Answer::SynAck,
                    ttl: None,
                    rtt: None,
                    probes: 1,
                },
                expected: false,
                service: service.cloned(),
            },
            severity: Severity::High,
            quiet: false,
            at: Timestamp::UNIX_EPOCH,
        };
        (1..=count).map(change).collect()
    }

    #[test]
    fn each_is_told_once_and_in_order() {
        let talkative = Service {
            banner: Some(SafeText::new(&"x".repeat(512))),
            ..Service::default()
        };
        for (count, service, messages) in [
            (0, None, vec![]),
            (200, None, vec![200]),
            (450, None, vec![200, 200, 50]),
            (100, Some(&talkative), vec![66, 34]),
        ] {
            let changes = changes(count, service);
            let told = told_together(&changes);
            assert_eq!(
                told.iter().map(|told| told.len()).collect::<Vec<_>>(),
                messages
            );
            assert_eq!(told.concat(), changes);
        }
    }
}
