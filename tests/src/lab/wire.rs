//! One direction of the wire: which packets are lost, when the others arrive. Pure; time and randomness come in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::random::Random;
use super::scenario::Conditions;

/// The most that waits for its turn where the rate is limited.
const LONGEST_QUEUE: Duration = Duration::from_millis(100);

/// Packets on their way in one direction.
pub struct Direction {
    conditions: Conditions,
    random: Random,
    bad_time: bool,
    free_at: Duration,
    waiting: BinaryHeap<Reverse<Waiting>>,
    order: u64,
    counts: Counts,
}

/// What happened to packets.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Came in.
    pub sent: u64,
    /// Did not come out.
    pub lost: u64,
    /// Came out, copies included.
    pub delivered: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: Duration,
    order: u64,
    frame: Vec<u8>,
}

impl Direction {
    /// Nothing under way.
    pub fn new(conditions: &Conditions, random: Random) -> Self {
        Self {
            conditions: conditions.clone(),
            random,
            bad_time: false,
            free_at: Duration::ZERO,
            waiting: BinaryHeap::new(),
            order: 0,
            counts: Counts::default(),
        }
    }

    /// Takes a packet. `now` and `first_probe` count from the same moment, which does not matter.
    pub fn send(&mut self, now: Duration, first_probe: Duration, frame: &[u8]) {
        self.counts.sent += 1;
        let Some(ready) = self.turn(now) else {
            self.counts.lost += 1;
            return;
        };
        if self.is_lost(now.saturating_sub(first_probe)) {
            self.counts.lost += 1;
            return;
        }
        if self.random.happens(self.conditions.duplicate) {
            self.put(ready, frame.to_vec());
        }
        self.put(ready, frame.to_vec());
    }

    /// Takes a packet that nothing happens to, to arrive after a delay.
    pub fn send_unharmed(&mut self, due: Duration, frame: Vec<u8>) {
        self.order += 1;
        let order = self.order;
        self.waiting.push(Reverse(Waiting { due, order, frame }));
    }

    /// The next packet that has arrived by now.
    pub fn arrived(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.next_due()? > now {
            return None;
        }
        self.counts.delivered += 1;
        self.waiting.pop().map(|Reverse(waiting)| waiting.frame)
    }

    /// When the next packet arrives.
    pub fn next_due(&self) -> Option<Duration> {
        self.waiting.peek().map(|Reverse(waiting)| waiting.due)
    }

    /// What happened so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// When a packet gets its turn on a wire with a limited rate; `None` if the queue is full.
    fn turn(&mut self, now: Duration) -> Option<Duration> {
        let Some(rate) = self.conditions.packets_per_second else {
            return Some(now);
        };
        let turn = self.free_at.max(now);
        if turn.saturating_sub(now) > LONGEST_QUEUE {
            return None;
        }
        self.free_at = turn + Duration::from_secs_f64(1.0 / rate);
        Some(turn)
    }

    fn is_lost(&mut self, at: Duration) -> bool {
        let at = at.as_secs_f64();
        if self
            .conditions
            .blackouts
            .iter()
            .any(|[from, to]| (*from..*to).contains(&at))
        {
            return true;
        }
        let burst = self.conditions.burst.as_ref().map(|burst| {
            let change = if self.bad_time {
                burst.leave
            } else {
                burst.enter
            };
            if self.random.happens(change) {
                self.bad_time = !self.bad_time;
            }
            self.bad_time && self.random.happens(burst.loss)
        });
        burst.unwrap_or(false) || self.random.happens(self.conditions.loss)
    }

    fn put(&mut self, ready: Duration, frame: Vec<u8>) {
        let Conditions {
            delay_ms,
            jitter_ms,
            ..
        } = self.conditions;
        let delay = self
            .random
            .between(delay_ms - jitter_ms, delay_ms + jitter_ms);
        let due = ready + Duration::from_secs_f64(delay.max(0.0) / 1000.0);
        self.send_unharmed(due, frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::scenario::Burst;

    const PACKETS: u64 = 100_000;

    fn through(conditions: &Conditions) -> (Vec<(f64, u64)>, Counts) {
        let mut direction = Direction::new(conditions, Random::new(1, 2));
        for number in 0..PACKETS {
            let now = Duration::from_micros(10 * number);
            direction.send(now, Duration::ZERO, &number.to_be_bytes());
        }
        let mut arrived = Vec::new();
        while let Some(due) = direction.next_due() {
            let frame = direction.arrived(due).unwrap();
            let number = u64::from_be_bytes(frame.try_into().unwrap());
            arrived.push((due.as_secs_f64(), number));
        }
        (arrived, direction.counts())
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn loss_is_as_asked_and_the_same_again() {
        let conditions = Conditions {
            loss: 0.05,
            ..Conditions::default()
        };
        let (arrived, counts) = through(&conditions);
        assert_eq!(
            (arrived.clone(), counts.sent),
            (through(&conditions).0, PACKETS)
        );
        let lost = counts.lost as f64 / PACKETS as f64;
        assert!((0.045..0.055).contains(&lost), "{lost}");
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn bursts_lose_many_in_a_row() {
        let burst = Some(Burst {
            enter: 0.01,
            leave: 0.1,
            loss: 1.0,
        });
        let (arrived, counts) = through(&Conditions {
            burst,
            ..Conditions::default()
        });
        let lost = counts.lost as f64 / PACKETS as f64;
        assert!((0.07..0.11).contains(&lost), "{lost}");
        let bursts = arrived
            .windows(2)
            .filter(|pair| pair[1].1 - pair[0].1 > 1)
            .count();
        let mean = counts.lost as f64 / bursts as f64;
        assert!((8.0..12.0).contains(&mean), "{mean} lost in a row");
    }

    #[test]
    fn jitter_reorders_within_its_bounds() {
        let conditions = Conditions {
            delay_ms: 20.0,
            jitter_ms: 5.0,
            ..Conditions::default()
        };
        let (arrived, _) = through(&conditions);
        assert!(
            arrived.windows(2).any(|pair| pair[0].1 > pair[1].1),
            "none overtook another"
        );
        for (due, number) in arrived {
            let delay = due - Duration::from_micros(10 * number).as_secs_f64();
            assert!((0.015..=0.025).contains(&delay), "{delay}");
        }
    }

    #[test]
    fn a_blackout_loses_all_and_duplicates_come_twice() {
        let blackouts = vec![[0.25, 0.5]];
        let (arrived, counts) = through(&Conditions {
            blackouts,
            ..Conditions::default()
        });
        assert_eq!(counts.lost, PACKETS / 4);
        assert!(arrived.iter().all(|(due, _)| !(0.25..0.4999).contains(due)));
        let (arrived, _) = through(&Conditions {
            duplicate: 1.0,
            ..Conditions::default()
        });
        assert_eq!(arrived.len(), usize::try_from(2 * PACKETS).unwrap());
    }

    #[test]
    fn a_limited_rate_holds_and_its_queue_is_short() {
        let packets_per_second = Some(10_000.0);
        let (arrived, counts) = through(&Conditions {
            packets_per_second,
            ..Conditions::default()
        });
        assert!(
            (11_000..=11_100).contains(&arrived.len()),
            "{}",
            arrived.len()
        );
        assert_eq!(counts.sent - counts.lost, counts.delivered);
    }
}
