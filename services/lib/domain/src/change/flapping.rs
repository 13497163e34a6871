//! Flapping: a state that changes too often to be told each time.
//!
//! The measure is that of Nagios and Icinga: of the last 20 verdicts, the share that was other than the one before
//! it, a recent one counting up to 1.2 and an old one down to 0.8. It begins above 30 % and ends below 25 %.

/// How many verdicts are looked at.
const VERDICTS: u32 = 20;

/// The weights are even in steps of 0.4 / 19, so that in units of 1/190 they are whole: 228 down to 152.
const UNIT: u32 = 190;
const NEWEST: u32 = 228;
const STEP: u32 = 4;

/// Above this share it begins, below that it ends, in hundredths.
const BEGINS_ABOVE: u32 = 30;
const ENDS_BELOW: u32 = 25;

/// How many of the last verdicts were other than the one before, and whether it flaps by that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flapping {
    /// One bit a verdict, the last one in bit 0: 1 if it was other than the one before it.
    pub window: u32,
    /// It began and has not ceased.
    pub flaps: bool,
}

impl Flapping {
    /// Takes a verdict. `Some(true)` if the flapping begins with it, `Some(false)` if it ends.
    pub(super) fn take(&mut self, changed: bool) -> Option<bool> {
        self.window = (self.window << 1 | u32::from(changed)) & ((1 << VERDICTS) - 1);
        if self.window == 0 && !self.flaps {
            return None;
        }
        let share = (0..VERDICTS)
            .filter(|age| self.window >> age & 1 == 1)
            .map(|age| NEWEST - STEP * age)
            .sum::<u32>()
            * 100;
        let whole = UNIT * VERDICTS;
        let flaps = if self.flaps {
            share >= whole * ENDS_BELOW
        } else {
            share > whole * BEGINS_ABOVE
        };
        let turned = (flaps != self.flaps).then_some(flaps);
        self.flaps = flaps;
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each verdict leads to: `c` one that changed, `.` one that did not.
    fn turns(verdicts: &str) -> Vec<(usize, bool)> {
        let mut flapping = Flapping::default();
        let turn = |(at, verdict)| flapping.take(verdict == 'c').map(|turn| (at, turn));
        verdicts.chars().enumerate().filter_map(turn).collect()
    }

    #[test]
    fn it_begins_with_the_sixth_change_of_twenty_and_ends_when_they_are_past() {
        assert_eq!(turns("c...c...c...c...c......"), []);
        assert_eq!(turns("cccccc"), [(5, true)]);
        assert_eq!(turns("c.c.c.c.c.c"), [(10, true)]);
        // The six are spread so that never six are among twenty with enough weight.
        assert_eq!(turns("c....c....c....c....c....c....c....c"), []);
        let quiet = format!("cccccc{}", ".".repeat(30));
        assert_eq!(turns(&quiet), [(5, true), (20, false)]);
    }

    #[test]
    fn between_the_two_limits_it_stays_as_it_is() {
        // Every fourth verdict changes: 25 %, enough to go on, not enough to begin.
        let steady = "c...".repeat(20);
        assert_eq!(turns(&steady), []);
        let begun = format!("cccccc{}", "..c.".repeat(20));
        assert_eq!(turns(&begun).first(), Some(&(5, true)));
    }
}
