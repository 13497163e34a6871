//! Slows down whoever guesses passwords: each failure beyond the first few doubles the wait, up to a minute. Nobody is
//! locked out for longer, so nobody can lock out somebody else for longer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// So many failures cost nothing: people mistype.
const FREE: u32 = 5;
/// The longest wait.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);
/// After so long without a failure all is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(15);
/// So many are remembered at the most.
const MOST: usize = 10_000;

/// Whose failures count together.
type Who = (String, Option<IpAddr>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// The failures of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<Who, Failures>>,
}

impl Throttle {
    /// How long this name has to wait at this address; `None` if it may try.
    pub fn wait(&self, name: &str, from: Option<IpAddr>, now: Timestamp) -> Option<SignedDuration> {
        let failures = self.lock().get(&who(name, from)).copied()?;
        let wait = failures.wait() - now.duration_since(failures.last);
        (wait > SignedDuration::ZERO).then_some(wait)
    }

    /// Takes note of a failure.
    pub fn failed(&self, name: &str, from: Option<IpAddr>, now: Timestamp) {
        let mut all = self.lock();
        all.retain(|_, failures| now.duration_since(failures.last) < FORGOTTEN);
        if all.len() >= MOST {
            // Somebody tries every name there is: whoever failed longest ago is forgotten first.
            let oldest = all.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(who, _)| who.clone()) {
                all.remove(&oldest);
            }
        }
        let failures = all.entry(who(name, from)).or_insert(Failures {
            count: 0,
            last: now,
        });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets the failures of who has logged in.
    pub fn succeeded(&self, name: &str, from: Option<IpAddr>) {
        self.lock().remove(&who(name, from));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Who, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    fn wait(self) -> SignedDuration {
        let Some(beyond) = self.count.checked_sub(FREE) else {
            return SignedDuration::ZERO;
        };
        let seconds = 1_i64.checked_shl(beyond).unwrap_or(i64::MAX);
        SignedDuration::from_secs(seconds.max(1)).min(LONGEST)
    }
}

fn who(name: &str, from: Option<IpAddr>) -> Who {
    (name.chars().take(64).collect(), from)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn each_failure_beyond_the_first_few_doubles_the_wait() {
        let throttle = Throttle::default();
        let from = Some(IpAddr::from([127, 0, 0, 1]));
        let mut waits = Vec::new();
        for _ in 0..14 {
            throttle.failed("anna", from, at(0));
            waits.push(
                throttle
                    .wait("anna", from, at(0))
                    .map_or(0, |w| w.as_secs()),
            );
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(throttle.wait("anna", from, at(60)), None);
        assert_eq!(throttle.wait("bert", from, at(0)), None);
        assert_eq!(throttle.wait("anna", None, at(0)), None);
        throttle.succeeded("anna", from);
        assert_eq!(throttle.wait("anna", from, at(0)), None);
    }

    #[test]
    fn many_failures_fill_no_memory_and_hide_no_guesser() {
        let throttle = Throttle::default();
        for number in 0..MOST + 5 {
            let second = i64::try_from(number / 100).unwrap();
            throttle.failed(&format!("user {number}"), None, at(second));
        }
        assert_eq!(throttle.lock().len(), MOST);
        for _ in 0..6 {
            throttle.failed("anna", None, at(200));
        }
        assert!(throttle.wait("anna", None, at(200)).is_some());
        throttle.failed("bert", None, at(2000));
        assert_eq!(throttle.lock().len(), 1, "the rest is forgotten");
    }
}
