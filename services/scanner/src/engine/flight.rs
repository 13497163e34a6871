//! The probes of the sweep that are out, in the order in which their time runs out.
//!
//! A pair costs two bytes for when its probe left, and four more while the probe is out, so that a scan may have
//! as many probes in the air as the path holds. Pairs with about the same patience share a queue, in which the
//! first one in is the first one due.

use std::collections::VecDeque;
use std::time::Duration;

use super::Moment;

/// How long a queue's pairs are waited for, in milliseconds. A patience is rounded up to one of them.
const PATIENCES: [u16; 11] = [100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000, 3000];

/// The probes that are out.
#[derive(Debug)]
pub(crate) struct Flight {
    /// When each pair's last probe left, in milliseconds, modulo 2^16: more than twice the longest patience.
    sent: Vec<u16>,
    queues: [VecDeque<u32>; PATIENCES.len()],
}

impl Flight {
    /// None out, of so many pairs.
    pub(crate) fn new(pairs: usize) -> Self {
        Self {
            sent: vec![0; pairs],
            queues: std::array::from_fn(|_| VecDeque::new()),
        }
    }

    /// The probe of a pair leaves, and is waited for so long at least.
    pub(crate) fn sent(&mut self, pair: u32, now: Moment, patience: Duration) {
        self.sent[pair as usize] = milliseconds(now);
        let queue = PATIENCES
            .iter()
            .position(|&limit| patience <= Duration::from_millis(limit.into()))
            .unwrap_or(PATIENCES.len() - 1);
        self.queues[queue].push_back(pair);
    }

    /// When the last probe of a pair left, which must be less than a minute ago. To the millisecond, rounded
    /// down, but never before the scan's clock began.
    pub(crate) fn left(&self, pair: u32, now: Moment) -> Moment {
        let age = milliseconds(now).wrapping_sub(self.sent[pair as usize]);
        let now = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        now.saturating_sub(Duration::from_millis(age.into()))
    }

    /// Takes out a pair whose time has run out. Those that are not out any more are forgotten.
    pub(crate) fn take_due(&mut self, now: Moment, is_out: impl Fn(u32) -> bool) -> Option<u32> {
        for (queue, limit) in self.queues.iter_mut().zip(PATIENCES) {
            while let Some(&pair) = queue.front() {
                let is_out = is_out(pair);
                let age = milliseconds(now).wrapping_sub(self.sent[pair as usize]);
                if is_out && age <= limit {
                    break;
                }
                queue.pop_front();
                if is_out {
                    return Some(pair);
                }
            }
        }
        None
    }

    /// When the next one's time runs out. Call [`Self::take_due`] first.
    pub(crate) fn next_due(&self, now: Moment) -> Option<Moment> {
        let due = |(queue, limit): (&VecDeque<u32>, u16)| {
            let &pair = queue.front()?;
            Some(self.left(pair, now) + Duration::from_millis(u64::from(limit) + 1))
        };
        self.queues.iter().zip(PATIENCES).filter_map(due).min()
    }

    /// None is out.
    pub(crate) fn clear(&mut self) {
        for queue in &mut self.queues {
            queue.clear();
        }
    }
}

fn milliseconds(at: Moment) -> u16 {
    // Cut on purpose: only differences count.
    (at.as_millis() & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Moment {
        Moment::from_millis(milliseconds)
    }

    #[test]
    fn pairs_come_due_by_their_patience() {
        // Around the place where the milliseconds of sixteen bits begin again.
        let start = 65_500;
        let mut flight = Flight::new(4);
        flight.sent(0, at(start), at(1000));
        flight.sent(1, at(start + 1), at(90));
        flight.sent(2, at(start + 2), at(100));
        flight.sent(3, at(start + 3), at(100));
        let out = |pair| pair != 2;
        assert_eq!(flight.left(1, at(start + 50)), at(start + 1));
        assert_eq!(flight.take_due(at(start + 101), out), None);
        assert_eq!(flight.next_due(at(start + 101)), Some(at(start + 102)));
        assert_eq!(flight.take_due(at(start + 104), out), Some(1));
        assert_eq!(flight.take_due(at(start + 104), out), Some(3));
        assert_eq!(flight.take_due(at(start + 1000), out), None);
        assert_eq!(flight.next_due(at(start + 1000)), Some(at(start + 1001)));
        assert_eq!(flight.take_due(at(start + 1001), out), Some(0));
        assert_eq!(flight.next_due(at(start + 1001)), None);
    }
}
