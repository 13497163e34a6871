//! When a target is due: (target, slot, now) → the next slot.
//!
//! An interval's slots stand on a grid from the target's first one, so that a late scan does not shift those after
//! it; those of cron are cron's times. Slots that passed while a scan was out are merged into the next, and no slot
//! lies in a closed window.

use jiff::{SignedDuration, Timestamp};

use crate::target::{Every, Schedule, Target, TargetId};

/// Time given to a job on top of what its probes take at its rate, for queueing, retransmissions
/// and verification.
const GRACE: SignedDuration = SignedDuration::from_secs(120);

/// Longer intervals count as this one, so that there is always a next slot.
const LONGEST_PERIOD: SignedDuration = SignedDuration::from_hours(24 * 366);

/// How far apart the first scans are of targets that come together.
const FIRST_SCANS_APART: SignedDuration = SignedDuration::from_millis(20);

/// A target that was not scanned for so many slots is overdue.
const OVERDUE_AFTER: u32 = 3;

/// The most closed windows that are walked through to count missed slots.
const MOST_STRETCHES: u32 = 1_000;

/// The most times of cron that are counted as missed.
const MOST_MISSED: u64 = 1_000;

/// The first slot of a target that comes together with others, `new` in all: at once if it comes alone, else spread,
/// so that a new installation is no burst. Cron's are at its times from the first on.
pub fn first_slot(target: &Target, new: usize, now: Timestamp) -> Timestamp {
    let schedule = &target.schedule;
    if let Every::Cron(_) = schedule.every {
        return cron_slot(schedule, now);
    }
    let others = i32::try_from(new.saturating_sub(1)).unwrap_or(i32::MAX);
    let spread = FIRST_SCANS_APART
        .saturating_mul(others)
        .min(period(target, now));
    let first = later(now, part_of(spread, target.id, "first"));
    schedule.closed_until(first).map_or(first, |open| {
        let room = room_after(schedule, open).min(period(target, now));
        later(open, part_of(room, target.id, "opening"))
    })
}

/// The slot after `slot`, which was taken by the run of this number: the first that lies in the future and in no
/// closed window.
pub fn next_slot(target: &Target, run: u64, slot: Timestamp, now: Timestamp) -> Timestamp {
    match target.schedule.every {
        Every::Cron(_) => cron_slot(&target.schedule, now.max(slot)),
        Every::Interval(_) => interval_slot(target, anchor(target, run, slot), now.max(slot)),
    }
}

/// How many slots passed unused between `slot` and the one that follows `now`; counted to 1,000 for cron.
pub fn slots_missed(target: &Target, run: u64, slot: Timestamp, now: Timestamp) -> u64 {
    let schedule = &target.schedule;
    if let Every::Cron(_) = schedule.every {
        let mut at = slot;
        for missed in 0..MOST_MISSED {
            at = cron_slot(schedule, at);
            if at > now {
                return missed;
            }
        }
        return MOST_MISSED;
    }
    let period = period(target, now);
    let mut grid = anchor(target, run, slot);
    let mut after = slot;
    let mut missed = 0_u64;
    for _ in 0..MOST_STRETCHES {
        let first = interval_slot(target, grid, after);
        if first > now {
            break;
        }
        // All slots from this one to the next closed window.
        let closes = schedule.closes_after(first).unwrap_or(Timestamp::MAX);
        let last = now.min(closes - SignedDuration::from_nanos(1));
        let more = periods(last.duration_since(first), period);
        missed = missed.saturating_add(more).saturating_add(1);
        grid = steps(first, period, more).unwrap_or(last);
        after = grid;
    }
    missed
}

/// A slot for a target whose next one lies further ahead than its schedule can have put it, because the clock was set
/// back; `None` for one that stands right. It is off the old grid, so that no slot is taken twice.
pub fn rebased(target: &Target, next_due_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let schedule = &target.schedule;
    if let Every::Cron(_) = schedule.every {
        return Some(cron_slot(schedule, now)).filter(|&next| next < next_due_at);
    }
    let period = period(target, now);
    let latest = later(now, period * 5 / 4);
    // A slot of that time may have been moved out of a closed window.
    let latest = if schedule.closed.is_empty() {
        latest
    } else {
        later(schedule.closed_until(latest).unwrap_or(latest), period)
    };
    (next_due_at > latest).then(|| first_slot(target, 1, now))
}

/// When the answer to a job of so many probes is no longer wanted: twice the time they take at the target's rate (a
/// sweep and its retransmissions), one period for waiting in the queue, and a grace; or, if that is
/// earlier, when the next closed window begins.
pub fn deadline(target: &Target, probes: u64, now: Timestamp) -> Timestamp {
    let seconds = probes.saturating_mul(2) / u64::from(target.rate.max(1));
    let sending = SignedDuration::from_secs(i64::try_from(seconds.min(86_400 * 7)).unwrap_or(0));
    let period = target.schedule.period(now);
    let wait = period.clamp(SignedDuration::ZERO, SignedDuration::from_hours(1));
    let end = later(later(later(now, sending), wait), GRACE);
    target
        .schedule
        .closes_after(now)
        .map_or(end, |closes| end.min(closes))
}

/// When a target is overdue unless it is scanned again: at the third slot after this one, and the time that its jobs
/// may take.
pub fn overdue_at(target: &Target, slot: Timestamp, allowance: SignedDuration) -> Timestamp {
    let third = (0..OVERDUE_AFTER).fold(slot, |slot, _| next_slot(target, u64::MAX, slot, slot));
    later(third, allowance)
}

/// The point that the grid is counted from. After its first slot a target gets a place of its own, spread over the
/// period, and no sooner than a quarter of it.
fn anchor(target: &Target, run: u64, slot: Timestamp) -> Timestamp {
    if run != 1 {
        return slot;
    }
    let period = period(target, slot);
    let place = later(slot, part_of(period, target.id, "grid"));
    place.checked_sub(period * 3 / 4).unwrap_or(slot)
}

/// The first slot of the grid after `after`, moved out of closed windows.
fn interval_slot(target: &Target, anchor: Timestamp, after: Timestamp) -> Timestamp {
    let schedule = &target.schedule;
    let period = period(target, after);
    let due = on_grid(anchor, period, after);
    let Some(open) = schedule.closed_until(due) else {
        return due;
    };
    let due = on_grid(anchor, period, open - SignedDuration::from_nanos(1));
    let room = room_after(schedule, open);
    if due.duration_since(open) < room {
        return due;
    }
    // The grid has no point in this opening: it begins anew in it.
    later(open, part_of(room.min(period), target.id, "opening"))
}

/// How long it is open from `open` on.
fn room_after(schedule: &Schedule, open: Timestamp) -> SignedDuration {
    schedule
        .closes_after(open)
        .map_or(SignedDuration::MAX, |closes| closes.duration_since(open))
}

fn cron_slot(schedule: &Schedule, after: Timestamp) -> Timestamp {
    // A checked expression has a next time; should it have none, it is asked again in a day.
    let next = schedule.cron_after(after);
    next.unwrap_or_else(|| later(after, SignedDuration::from_hours(24)))
}

fn period(target: &Target, now: Timestamp) -> SignedDuration {
    target.schedule.period(now).min(LONGEST_PERIOD)
}

/// The first point of the grid after `after`, and not the anchor itself.
fn on_grid(anchor: Timestamp, period: SignedDuration, after: Timestamp) -> Timestamp {
    let late = after.duration_since(anchor).max(SignedDuration::ZERO);
    steps(anchor, period, periods(late, period).saturating_add(1))
        .filter(|&next| next > after)
        .unwrap_or_else(|| later(after, period))
}

/// How many whole periods a time holds.
fn periods(time: SignedDuration, period: SignedDuration) -> u64 {
    u64::try_from(time.as_nanos() / period.as_nanos().max(1)).unwrap_or_default()
}

fn steps(from: Timestamp, period: SignedDuration, count: u64) -> Option<Timestamp> {
    let whole = period.checked_mul(i32::try_from(count).ok()?)?;
    from.checked_add(whole).ok()
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A part of a time, from none of it to nearly all, evenly spread over targets and always the same for one.
fn part_of(time: SignedDuration, target: TargetId, of: &str) -> SignedDuration {
    let hash = uuid::Uuid::new_v5(&target.0, of.as_bytes());
    let share = i128::from(hash.as_u64_pair().0 >> 32);
    // To the microsecond, as it is kept.
    let micros = (time.as_micros() * share) >> 32;
    SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
