//! How often a message is tried, and how long it waits in between.

use std::time::Duration;

/// A message that failed this often is dead.
pub const MAX_ATTEMPTS: u32 = 5;

/// Which of the three waits comes before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryStep {
    /// After the first attempt: something was busy for a moment.
    First,
    /// After the second: something restarts.
    Second,
    /// After every later one: somebody has to mend something.
    Later,
}

impl RetryStep {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::First, Self::Second, Self::Later];

    /// The wait after this attempt, counted from 1; `None` after the last one.
    pub const fn after(attempt: u32) -> Option<Self> {
        match attempt {
            MAX_ATTEMPTS.. => None,
            0 | 1 => Some(Self::First),
            2 => Some(Self::Second),
            _ => Some(Self::Later),
        }
    }
}

/// How long the three waits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryDelays {
    /// Of [`RetryStep::First`].
    pub first: Duration,
    /// Of [`RetryStep::Second`].
    pub second: Duration,
    /// Of [`RetryStep::Later`].
    pub later: Duration,
}

impl Default for RetryDelays {
    /// 5 s, 30 s, 5 min: what the names of the broker's retry queues say.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            second: Duration::from_secs(30),
            later: Duration::from_mins(5),
        }
    }
}

impl RetryDelays {
    /// How long this wait is.
    pub const fn of(&self, step: RetryStep) -> Duration {
        match step {
            RetryStep::First => self.first,
            RetryStep::Second => self.second,
            RetryStep::Later => self.later,
        }
    }
}
