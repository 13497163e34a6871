//! When targets are due, and how they are cut into jobs.

#![expect(clippy::unwrap_used, reason = "tests")]

mod clock;
mod cut;
mod day;
mod due;
mod windows;

use jiff::SignedDuration;
use uuid::Uuid;

use super::attended::{Attendance, ZoneWork, judge};
use super::*;
use crate::target::{Confirm, Schedule, Switches, Target};

/// One address, every five minutes.
fn target() -> Target {
    Target {
        id: TargetId::derive("tests", "web"),
        name: "web".to_owned(),
        group: "default".to_owned(),
        tags: Vec::new(),
        zone: "dmz".parse().unwrap(),
        addresses: vec!["198.18.0.1".parse().unwrap()],
        exclude: Vec::new(),
        ports: "22,80".parse().unwrap(),
        expected: None,
        allowed: PortSet::empty(),
        confirm: Confirm::default(),
        schedule: Schedule::every(SignedDuration::from_mins(5)),
        discovery: false,
        follow_names: false,
        rate: 1000,
        switches: Switches::default(),
    }
}

fn scheduled(schedule: Schedule) -> Target {
    let target = Target {
        schedule,
        ..target()
    };
    target.check().unwrap();
    target
}

#[test]
fn a_zone_is_unattended_from_a_lost_job_to_a_finished_one() {
    let at = |second| Some(Timestamp::from_second(second).unwrap());
    for (unattended_since, oldest_lost, last_finished, expected) in [
        (None, None, None, None),
        (None, None, at(5), None),
        // Nobody has ever done a job of the zone.
        (None, at(10), None, Some(Attendance::Unattended)),
        (None, at(10), at(9), Some(Attendance::Unattended)),
        // One job was lost, others were done meanwhile.
        (None, at(10), at(10), None),
        (None, at(10), at(11), None),
        // It is told once.
        (at(20), at(10), at(9), None),
        (at(20), at(10), None, None),
        (at(20), at(10), at(19), None),
        (at(20), at(10), at(21), Some(Attendance::Attended)),
        (at(20), None, at(21), Some(Attendance::Attended)),
    ] {
        let zone = ZoneWork {
            unattended_since,
            oldest_lost,
            last_finished,
        };
        assert_eq!(judge(zone), expected, "{zone:?}");
    }
}

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
