//! When targets are due, and how they are cut into jobs.

#![expect(clippy::unwrap_used, reason = "tests")]

mod cut;
mod due;

use uuid::Uuid;

use super::*;

#[test]
fn ids_are_the_same_for_the_same_target_run_and_index() {
    let target = TargetId(Uuid::from_u128(7));
    let id = JobId::derive(target, 1, 0);
    assert_eq!(id, JobId::derive(target, 1, 0));
    // Stored, and sent: it may not become another by a change of the code.
    assert_eq!(id.to_string(), "786d57cb-afe6-56f1-8cea-38c881430e17");
    let others = [
        JobId::derive(TargetId(Uuid::from_u128(8)), 1, 0),
        JobId::derive(target, 2, 0),
        JobId::derive(target, 1, 1),
        JobId::derive(target, 11, 0),
        JobId::derive(target, 1, 10),
    ];
    for other in others {
        assert_ne!(id, other);
    }
}

#[test]
fn priorities_are_spelled() {
    for (priority, word) in [(Priority::High, "high"), (Priority::Normal, "normal")] {
        assert_eq!(priority.to_string(), word);
        assert_eq!(word.parse(), Ok(priority));
    }
    let error = "urgent".parse::<Priority>().unwrap_err();
    assert_eq!(error.to_string(), "unknown priority \"urgent\"");
}
