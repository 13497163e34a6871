//! How fast a host may be asked so that its ICMP errors can come.
//!
//! A Linux host sends one error a second to each destination, after a burst of six (`net.ipv4.icmp_ratelimit`;
//! IPv6: one in 10 to 100 ms), and a thousand a second in all. What it would not send is missing, and a closed
//! port then looks like an open one that does not answer. Two facts about such limits are used here:
//!
//! * They count the errors, not the probes. So silent ports cost nothing, and it is enough to wait *after an
//!   error*: until then, another one could not come.
//! * A silence means something only if an error could have come: if there was none shortly before.
//!
//! A limit is noticed when ports turn out to be closed that were silent before, one error in two or more; then the
//! interval at which the errors came in is the limit. Random loss looks the same for a while, but errors come
//! quickly then, so the interval is short and does no harm. The window of probes in flight opens with each answer,
//! and with each silence that means something.

use std::time::Duration;

use crate::engine::Moment;

/// How many probes may be in flight to a host of which nothing is known: more than any burst of errors.
const FIRST_WINDOW: usize = 16;
/// The longest wait after an error, a little more than Linux's limit.
const LONGEST_GAP: Duration = Duration::from_millis(1050);
/// A shorter gap is none.
const SHORTEST_GAP: Duration = Duration::from_millis(1);
/// So long after an error the next one can surely come.
const CREDIT: Duration = Duration::from_millis(1100);
/// So many errors in one second show that a host does not limit them by destination.
const UNLIMITED: u32 = 64;
/// How many probes may leave within one gap, in search of the next closed port.
const PROBES_IN_A_GAP: u32 = 8;
/// After so many closed ports in a row that were told by their first probe, a shorter gap is tried.
const GOOD_RUN: u8 = 8;
/// A host's first timeout, and the least.
const FIRST_TIMEOUT: Duration = Duration::from_secs(1);
const LEAST_TIMEOUT: Duration = Duration::from_millis(250);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The pace of one host.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// How long nothing is sent after an error; zero while no limit is noticed.
    gap: Duration,
    /// Changes with the gap: what was missed under another one says nothing about it.
    epoch: u32,
    next: Moment,
    window: usize,
    in_flight: usize,
    last_error: Option<Moment>,
    /// Smoothed time between errors.
    interval: Duration,
    /// Smoothed count of probes that closed ports missed before they were told.
    missed: f64,
    good: u8,
    /// A second, and the errors in it.
    counted: (u64, u32),
    unlimited: bool,
    /// The longest time that any answer took.
    slowest: Option<Duration>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            gap: Duration::ZERO,
            epoch: 0,
            next: Moment::ZERO,
            window: FIRST_WINDOW,
            in_flight: 0,
            last_error: None,
            interval: Duration::ZERO,
            missed: 0.0,
            good: 0,
            counted: (0, 0),
            unlimited: false,
            slowest: None,
        }
    }

    /// From when on the next probe may leave; `None` until something in flight is resolved.
    pub(super) fn next(&self) -> Option<Moment> {
        (self.in_flight < self.window).then_some(self.next)
    }

    /// A probe leaves.
    pub(super) fn sent(&mut self, now: Moment) {
        self.in_flight += 1;
        // Long after the last error, it is no limit that keeps the next one from coming.
        if self.last_error.is_some_and(|last| now < last + CREDIT) {
            self.next = self.next.max(now + self.gap / PROBES_IN_A_GAP);
        }
    }

    /// A probe in flight did not leave after all, or is not waited for any more.
    pub(super) fn resolved(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// An answer of any kind came, the first to its probe; `rtt` if it is known which transmission it answers.
    pub(super) fn answered(&mut self, rtt: Option<Duration>) {
        self.window += 1;
        self.slowest = self.slowest.max(rtt);
    }

    /// An ICMP error came.
    pub(super) fn rejected(&mut self, now: Moment) {
        if let Some(last) = self.last_error {
            let since = now.saturating_sub(last).min(LONGEST_GAP);
            self.interval = (self.interval * 3 + since) / 4;
        }
        self.last_error = Some(now);
        self.next = self.next.max(now + self.gap);
        let second = now.as_secs();
        if self.counted.0 != second {
            self.counted = (second, 0);
        }
        self.counted.1 += 1;
        self.unlimited |= self.counted.1 >= UNLIMITED;
    }

    /// A port is told to be closed that was silent so often under the present gap.
    pub(super) fn told(&mut self, missed: u32) {
        self.missed += (f64::from(missed) - self.missed) / 4.0;
        if self.missed > 0.5 {
            self.good = 0;
            self.unlimited = false;
            let longer = self.interval.max(self.gap * 5 / 4);
            self.change(longer.clamp(SHORTEST_GAP, LONGEST_GAP));
        } else if missed > 0 {
            self.good = 0;
        } else {
            self.good += 1;
            if self.good >= GOOD_RUN {
                self.good = 0;
                let shorter = self.gap / 2;
                if !self.gap.is_zero() {
                    self.change(if shorter < SHORTEST_GAP {
                        Duration::ZERO
                    } else {
                        shorter
                    });
                }
            }
        }
    }

    fn change(&mut self, gap: Duration) {
        self.gap = gap;
        self.missed = 0.0;
        self.epoch += 1;
    }

    /// Changes when what was missed before says nothing any more.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A probe that left at `sent` was not answered in time. True if that means something: an error could have
    /// come.
    pub(super) fn silent(&mut self, sent: Moment) -> bool {
        let free = self.unlimited && self.gap.is_zero() && self.missed < 0.1;
        let means = free || self.last_error.is_none_or(|last| last + CREDIT <= sent);
        if means {
            self.window += 1;
        }
        means
    }

    /// How long to wait for an answer after so many silences.
    pub(super) fn timeout(&self, silences: u8) -> Duration {
        let slowest = self.slowest.map_or(FIRST_TIMEOUT, |slowest| slowest * 2);
        let first = slowest.clamp(LEAST_TIMEOUT, LONGEST_TIMEOUT);
        (first * (1 << silences.min(3))).min(LONGEST_TIMEOUT)
    }

    /// When the next probe of a port may leave whose silence meant nothing.
    pub(super) fn again(sent: Moment) -> Moment {
        sent + CREDIT
    }
}
