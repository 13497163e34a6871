//! Any number of schedulers on a clock that jumps: every slot once.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::due::{next_slot, rebased};
use super::target;
use crate::target::Target;

/// How often a scheduler looks for slots that stand too far ahead.
const HOUSEKEEPING: i64 = 60;

/// A target as the database keeps it.
struct Row {
    target: Target,
    next_due_at: Timestamp,
    run: u64,
    taken: HashSet<Timestamp>,
}

/// A scheduler that has claimed a slot and has not saved its run yet.
type Claim = (Timestamp, u64);

impl Row {
    fn claim(&self, now: Timestamp) -> Option<Claim> {
        (self.next_due_at <= now).then_some((self.next_due_at, self.run + 1))
    }

    /// True if this scheduler's run is the one that counts.
    fn save(&mut self, (slot, run): Claim, now: Timestamp) -> bool {
        let next = next_slot(&self.target, run, slot, now);
        let is_free = self.taken.insert(slot);
        if self.next_due_at == slot {
            self.next_due_at = next;
        }
        if is_free {
            self.run = self.run.max(run);
        }
        is_free
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many seconds pass.
    Pass(i64),
    /// The clock is set by so many seconds.
    Jump(i64),
    /// A scheduler claims now and saves after others had time to claim as well.
    Race(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (1_i64..120).prop_map(Step::Pass),
        1 => (-3_600_i64..3_600).prop_map(Step::Jump),
        5 => (1_usize..5).prop_map(Step::Race),
    ]
}

proptest! {
    #[test]
    fn every_slot_once(steps in proptest::collection::vec(step(), 1..400)) {
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        let mut row = Row { target: target(), next_due_at: begin, run: 0, taken: HashSet::new() };
        let (mut real, mut offset, mut jumps) = (0_i64, 0_i64, 0_u64);
        let (mut looked, mut steady_since, mut runs) = (0_i64, 0_i64, 0_u64);
        for (micros, step) in (0..).zip(steps) {
            let racers = match step {
                Step::Pass(seconds) => {
                    real += seconds;
                    1
                }
                Step::Jump(seconds) => {
                    offset += seconds;
                    jumps += 1;
                    steady_since = real;
                    1
                }
                Step::Race(schedulers) => schedulers,
            };
            // No clock shows the same microsecond twice, by good luck.
            let now = begin + SignedDuration::from_secs(real + offset) + SignedDuration::from_micros(micros);
            if real - looked >= HOUSEKEEPING {
                looked = real;
                if let Some(slot) = rebased(&row.target, row.next_due_at, now) {
                    row.next_due_at = slot;
                }
            }
            let claims: Vec<Claim> = (0..racers).filter_map(|_| row.claim(now)).collect();
            let counted = claims.into_iter().filter(|&claim| row.save(claim, now)).count();
            prop_assert!(counted <= 1, "a slot became two runs");
            runs += counted as u64;
            if counted == 1 {
                steady_since = real;
            }
            // Since the last scan or jump: a period and a quarter, the time until a jump is seen, and the
            // steps of this test.
            let waited = real - steady_since;
            prop_assert!(waited <= 375 + HOUSEKEEPING + 2 * 120, "no scan for {waited} s");
        }
        let slots = u64::try_from(real / 300).unwrap();
        prop_assert!(runs <= slots + jumps + 2, "{runs} runs in {slots} slots and {jumps} jumps");
    }
}
