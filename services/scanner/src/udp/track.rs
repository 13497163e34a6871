//! One port that is being told.

use std::time::Duration;

use portwatch_domain::snapshot::PortState;

use super::wire::LANES;
use crate::engine::Moment;

/// Between a rejection and the probe that confirms it.
pub(super) const CONFIRM_AFTER: Duration = Duration::from_secs(1);
/// A port that is rejected now in one way and now in another is given up after so many.
const MOST_REJECTIONS: u8 = 6;

/// What a track waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Its turn to send.
    Turn,
    /// An answer.
    Answer,
    /// A time to stand in line again.
    Pause,
}

/// What follows from an answer, or its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another probe, now or at a later time.
    AskAt(Moment),
    /// It is told: closed or filtered.
    Told(PortState),
    /// It cannot be told.
    GiveUp,
    /// Nothing new.
    Wait,
}

/// A port in the making.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// When the last probe of each lane left, and whether an answer to it was heard.
    lanes: [Option<(Moment, bool)>; LANES as usize],
    /// Lanes that were used more than once: nobody knows which probe an answer belongs to (Karn).
    reused: u16,
    /// Probes that left.
    pub(super) probes: u16,
    /// Silences that mean something.
    pub(super) silences: u8,
    /// Those that do not, under which gap.
    missed: (u32, u32),
    /// All silences.
    silent: u16,
    rejections: u8,
    /// When the probe of the first rejection of each kind left: filtered, closed.
    first: [Option<Moment>; 2],
    pub(super) waiting: Waiting,
    /// The timer that counts; others of this port are stale.
    pub(super) timer: u64,
    /// When the last probe left.
    pub(super) sent_at: Moment,
}

impl Track {
    pub(super) fn new() -> Self {
        Self {
            lanes: [None; LANES as usize],
            reused: 0,
            probes: 0,
            silences: 0,
            missed: (0, 0),
            silent: 0,
            rejections: 0,
            first: [None; 2],
            waiting: Waiting::Turn,
            timer: 0,
            sent_at: Moment::ZERO,
        }
    }

    /// A probe leaves.
    pub(super) fn sent(&mut self, now: Moment, lane: u8) {
        let slot = &mut self.lanes[usize::from(lane)];
        if slot.is_some() {
            self.reused |= 1 << lane;
        }
        *slot = Some((now, false));
        self.probes = self.probes.saturating_add(1);
        self.sent_at = now;
        self.waiting = Waiting::Answer;
    }

    /// The last probe did not leave after all.
    pub(super) fn take_back(&mut self, lane: u8) {
        if self.reused & (1 << lane) == 0 {
            self.lanes[usize::from(lane)] = None;
        }
        self.probes = self.probes.saturating_sub(1);
        self.waiting = Waiting::Turn;
        self.timer = 0;
    }

    /// An answer on this lane: when its probe left, if no other answer to that was heard.
    pub(super) fn heard(&mut self, lane: u8) -> Option<Moment> {
        let slot = self.lanes.get_mut(usize::from(lane))?.as_mut()?;
        let first = !slot.1;
        slot.1 = true;
        first.then_some(slot.0)
    }

    /// Whether it is known which probe an answer on this lane belongs to.
    pub(super) fn is_certain(&self, lane: u8) -> bool {
        self.reused & (1 << lane) == 0
    }

    /// The last probe was not answered in time.
    pub(super) fn unheard(&mut self, means: bool, epoch: u32, most: (u8, Option<u16>)) -> bool {
        self.silent = self.silent.saturating_add(1);
        if means {
            self.silences += 1;
        } else if self.missed.0 == epoch {
            self.missed.1 += 1;
        } else {
            self.missed = (epoch, 1);
        }
        self.silences > most.0 || most.1.is_some_and(|most| self.silent > most)
    }

    /// How many probes were missed under this gap.
    pub(super) fn missed(&self, epoch: u32) -> u32 {
        if self.missed.0 == epoch {
            self.missed.1
        } else {
            0
        }
    }

    /// The probe that left at `sent` was rejected: by the host itself, because nothing listens, or else on the way.
    /// So many rejections of one kind, 1 or 2, are `needed` for a verdict, and the host must have been `alive` after
    /// the first of two was asked for.
    pub(super) fn rejected(
        &mut self,
        now: Moment,
        sent: Moment,
        closed: bool,
        needed: u8,
        alive: Moment,
    ) -> Step {
        self.rejections += 1;
        let first = &mut self.first[usize::from(closed)];
        let confirmed = first.is_some_and(|first| first + CONFIRM_AFTER <= sent && first <= alive);
        if needed < 2 || confirmed {
            return Step::Told(if closed {
                PortState::Closed
            } else {
                PortState::Filtered
            });
        }
        if self.rejections >= MOST_REJECTIONS {
            return Step::GiveUp;
        }
        first.get_or_insert(sent);
        if self.waiting == Waiting::Answer {
            Step::AskAt(now + CONFIRM_AFTER)
        } else {
            Step::Wait
        }
    }
}
