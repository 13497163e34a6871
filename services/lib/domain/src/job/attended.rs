//! Whether anybody does a zone's jobs.

use jiff::Timestamp;

/// What is known of a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneWork {
    /// Since when it is known that nobody does its jobs; `None` while somebody does.
    pub unattended_since: Option<Timestamp>,
    /// When the oldest job was made that is lost and has not been finished since.
    pub oldest_lost: Option<Timestamp>,
    /// When a job of the zone was last finished.
    pub last_finished: Option<Timestamp>,
}

/// What has to be told of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attendance {
    /// Nobody does its jobs.
    Unattended,
    /// Somebody does again.
    Attended,
}

/// Decides whether a zone's state changes. It is unattended when jobs were lost and none was finished since the
/// oldest of them was made: one slow job is no sign, a queue that nobody empties is. It is attended again when a
/// job is finished.
pub fn judge(zone: ZoneWork) -> Option<Attendance> {
    let finished_since = |at: Timestamp| zone.last_finished.is_some_and(|finished| finished >= at);
    match zone.unattended_since {
        Some(since) => finished_since(since).then_some(Attendance::Attended),
        None => zone
            .oldest_lost
            .filter(|&made| !finished_since(made))
            .map(|_| Attendance::Unattended),
    }
}
