//! How old what is deleted has to be, and how much it was.

use jiff::Timestamp;

/// From when on things are kept.
#[derive(Clone, Copy, Debug)]
pub struct PruneBefore {
    /// The time now, from which groups count how long they keep history.
    pub now: Timestamp,
    /// Finished jobs, the requests that led to them, and the inbox that makes redelivery harmless: at least a day.
    pub working: Timestamp,
    /// Ended deliveries, and the history of groups without a time of their own.
    pub history: Timestamp,
}

/// How many rows were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Jobs with their inbox rows.
    pub jobs: u64,
    /// Transitions that were deleted one by one.
    pub history: u64,
    /// Days that were dropped as a whole, with what was in them.
    pub history_days: u64,
    /// Runs.
    pub runs: u64,
    /// Deliveries with their notifications.
    pub deliveries: u64,
}
