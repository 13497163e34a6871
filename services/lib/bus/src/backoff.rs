//! How long to wait before trying the broker again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double from 100 ms to 10 s, each shortened by up to half at random, so that the
/// clients of a restarted broker do not all come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next wait.
    pub(crate) fn wait(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(LONGEST);
        // Without randomness from the kernel the waits are merely not spread.
        let random = getrandom::u32().unwrap_or_default();
        let share = f64::from(random) / f64::from(u32::MAX);
        full.mul_f64(1.0 - share / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_limit_with_jitter() {
        let mut backoff = Backoff::new();
        let mut full = FIRST;
        for _ in 0..20 {
            let wait = backoff.wait();
            assert!(wait <= full && wait >= full / 2, "{wait:?} of {full:?}");
            full = (full * 2).min(LONGEST);
        }
    }
}
