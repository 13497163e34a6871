//! When a target is due: (schedule, slot, now) → the slot taken and the next one.

use jiff::{SignedDuration, Timestamp};

/// Time given to a job on top of what its probes take at its rate, for queueing, retransmissions
/// and verification.
const GRACE: SignedDuration = SignedDuration::from_secs(120);

/// The slot after `slot` that lies in the future.
///
/// Slots stand on a grid of `interval` from the first one, so that a late scan does not shift those
/// after it; slots that passed while a scan was out are merged into the next.
pub fn next_slot(slot: Timestamp, interval: SignedDuration, now: Timestamp) -> Timestamp {
    let interval = interval.max(SignedDuration::from_millis(1));
    let late = now.duration_since(slot).max(SignedDuration::ZERO);
    let passed = late.as_nanos() / interval.as_nanos() + 1;
    let step = i32::try_from(passed)
        .ok()
        .and_then(|passed| interval.checked_mul(passed));
    step.and_then(|step| slot.checked_add(step).ok())
        .or_else(|| now.checked_add(interval).ok())
        .unwrap_or(Timestamp::MAX)
}

/// How many slots passed unused between `slot` and the one that follows `now`.
pub fn slots_missed(slot: Timestamp, interval: SignedDuration, now: Timestamp) -> u64 {
    let interval = interval.max(SignedDuration::from_millis(1));
    let late = now.duration_since(slot).max(SignedDuration::ZERO);
    u64::try_from(late.as_nanos() / interval.as_nanos()).unwrap_or(u64::MAX)
}

/// When the answer to a job is no longer wanted: twice the time its probes take at its rate (a
/// sweep and its retransmissions), one interval for waiting in the queue, and a grace.
pub fn deadline(now: Timestamp, probes: u64, rate: u32, interval: SignedDuration) -> Timestamp {
    let seconds = probes.saturating_mul(2) / u64::from(rate.max(1));
    let sending = SignedDuration::from_secs(i64::try_from(seconds.min(86_400 * 7)).unwrap_or(0));
    let wait = interval.clamp(SignedDuration::ZERO, SignedDuration::from_hours(1));
    now + sending + wait + GRACE
}
