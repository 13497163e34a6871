//! The sweep: every pair once, and again while nothing comes back, with next to nothing remembered of each.
//!
//! A pair that refuses is done. One that answers otherwise, or whose host is there and that stays silent, goes on
//! to a track of its own. One whose host says nothing at all is parked, until the host does.

use portwatch_domain::snapshot::Answer;

use super::line::Attempt;
use super::mark::{Mark, Swept};
use super::pacing::{Gate, Wait, network_of};
use super::track::{SWEEP_ATTEMPTS, Track, sweep_patience};
use super::{Engine, Moment};
use crate::wire::Probe;

/// How many begun ports stand in line at most. Enough that every host has some, since the order is random.
const LOOKAHEAD: usize = 4096;
/// How many tracks there may be. Pairs that would need another one are parked until the sweep is over.
const MOST_TRACKS: usize = 1 << 17;

impl Engine {
    /// True if pairs wait to be begun, and may be.
    pub(super) fn has_more(&self) -> bool {
        let waits = self.held.is_some() || self.position < self.marks.len() as u64;
        waits && self.begun < LOOKAHEAD
    }

    /// Begins pairs until the batch is full or nothing may leave. Returns when the scan as a whole may send again.
    pub(super) fn sweep(
        &mut self,
        gate: &mut Gate<'_>,
        now: Moment,
        batch: &mut Vec<Probe>,
        most: usize,
    ) -> Moment {
        while batch.len() < most && self.has_more() {
            let open_at = self.pace.next(now);
            if open_at > now {
                return open_at;
            }
            let pair = self.held.take().unwrap_or_else(|| self.next_pair());
            if self.marks[pair as usize] != Mark::UNTOLD {
                continue;
            }
            let (host, _) = self.pair(pair);
            let state = &self.hosts[host as usize];
            if state.suspect || state.is_gone(now) {
                self.settle(pair, Mark::UNKNOWN);
                continue;
            }
            let taken = if state.is_queued {
                // Others of this host wait already.
                Err(Wait::Host(Moment::ZERO))
            } else {
                self.take(gate, now, host)
            };
            match taken {
                Ok(()) => {
                    self.begin(pair);
                    batch.extend(self.transmit(now, host, Attempt::Port(pair)));
                }
                Err(Wait::Host(at)) => {
                    self.begin(pair);
                    self.hosts[host as usize]
                        .line
                        .add_begun(Attempt::Port(pair));
                    self.begun += 1;
                    self.take_turn(host, at);
                }
                Err(Wait::All(at)) => {
                    self.held = Some(pair);
                    return at;
                }
            }
        }
        now
    }

    fn next_pair(&mut self) -> u32 {
        let pair = self.order.at(self.position);
        self.position += 1;
        u32::try_from(pair).unwrap_or(u32::MAX)
    }

    fn begin(&mut self, pair: u32) {
        self.sweeping += 1;
        self.marks[pair as usize] = Mark::swept(Swept {
            attempt: 0,
            silences: 0,
            out: false,
        });
    }

    /// Counts an attempt of the sweep that leaves: its number. `None` if the pair is not in the sweep.
    pub(super) fn transmit_swept(&mut self, now: Moment, host: u32, pair: u32) -> Option<u8> {
        let swept = self.marks[pair as usize].as_swept()?;
        self.marks[pair as usize] = Mark::swept(Swept { out: true, ..swept });
        let timeout = self.hosts[host as usize].rtt.timeout();
        self.flight
            .sent(pair, now, sweep_patience(timeout, swept.attempt));
        self.out(host);
        if swept.attempt > 0 && (self.hosts[host as usize].up || self.is_known_open(pair)) {
            self.ask_control(now, host);
        }
        Some(swept.attempt)
    }

    /// True if this attempt of the sweep was out, and waits for its turn again.
    pub(super) fn take_back_swept(&mut self, pair: u32, attempt: u8) -> bool {
        let swept = self.marks[pair as usize].as_swept();
        let Some(swept) = swept.filter(|swept| swept.out && swept.attempt == attempt) else {
            return false;
        };
        let (host, _) = self.pair(pair);
        self.marks[pair as usize] = Mark::swept(Swept {
            out: false,
            ..swept
        });
        self.landed(host);
        true
    }

    /// The pair is not swept any more.
    pub(super) fn leave_sweep(&mut self, pair: u32) {
        let (host, _) = self.pair(pair);
        if let Some(swept) = self.marks[pair as usize].as_swept() {
            self.sweeping -= 1;
            if swept.out {
                self.landed(host);
            }
        }
    }

    /// The pair goes on with a track.
    pub(super) fn track(&mut self, pair: u32, track: impl FnOnce(bool) -> Track) {
        let (host, _) = self.pair(pair);
        let track = track(self.is_known_open(pair));
        self.leave_sweep(pair);
        self.marks[pair as usize] = Mark::TRACKED;
        if track.waiting == super::track::Waiting::Answer {
            self.out(host);
        }
        self.tracks.insert(pair, track);
    }

    /// Deals with what was not answered in time.
    pub(super) fn expire_sweep(&mut self, now: Moment) {
        loop {
            let marks = &self.marks;
            let is_out = |pair: u32| marks[pair as usize].is_out();
            let Some(pair) = self.flight.take_due(now, is_out) else {
                return;
            };
            self.unanswered(now, pair);
        }
    }

    fn unanswered(&mut self, now: Moment, pair: u32) {
        let Some(swept) = self.marks[pair as usize].as_swept() else {
            return;
        };
        let (index, _) = self.pair(pair);
        let sent = self.since_start(self.flight.left(pair, now));
        let overflowed = self.overflows.any(sent, self.since_start(now));
        let host = &self.hosts[index as usize];
        let counts = host.up && !overflowed && host.answered_around(sent);
        if !host.up && !overflowed {
            self.missed(index, pair, self.flight.left(pair, now));
        }
        let silences = swept.silences + u8::from(counts);
        let attempt = swept.attempt + 1;
        if attempt >= self.plan.attempts {
            self.settle(pair, Mark::UNKNOWN);
        } else if attempt < SWEEP_ATTEMPTS {
            self.landed(index);
            self.marks[pair as usize] = Mark::swept(Swept {
                attempt,
                silences,
                out: false,
            });
            self.line_up(index, Attempt::Port(pair));
        } else if self.goes_on(index, pair) && self.tracks.len() < MOST_TRACKS {
            self.track(pair, |known_open| Track::silent(known_open, silences));
            self.enqueue(pair);
        } else {
            self.settle(pair, Mark::PARKED);
        }
    }

    /// A probe of a host that has not answered at all was not answered either.
    pub(super) fn missed(&mut self, index: u32, pair: u32, sent: Moment) {
        let known_open = self.is_known_open(pair);
        let planned = &self.plan.hosts[index as usize];
        let host = &mut self.hosts[index as usize];
        if !known_open && (planned.known_open.is_empty() || !host.absence.wants(pair)) {
            return;
        }
        let network = network_of(host.addresses.destination());
        if !self.pacer.witnesses().around(network, sent) {
            return;
        }
        if known_open {
            host.absence.silent(pair, sent);
        } else {
            host.absence.also_silent(pair);
        }
    }

    /// Whether a silent pair is asked on: if its host is there, or it is to show that it is not.
    pub(super) fn goes_on(&mut self, index: u32, pair: u32) -> bool {
        let known_open = self.is_known_open(pair);
        let host = &mut self.hosts[index as usize];
        host.up || (known_open && host.absence.asks(pair, self.ports.len()))
    }

    /// When the sweep is over: goes on with what was silent before its host answered.
    pub(super) fn resume_parked(&mut self) {
        let swept = self.position == self.marks.len() as u64 && self.sweeping == 0;
        if !swept || (self.resumed.is_none() && !self.tracks.is_empty()) {
            return;
        }
        let mut next = self.resumed.unwrap_or(0);
        while self.begun < LOOKAHEAD
            && self.tracks.len() < MOST_TRACKS
            && (next as usize) < self.marks.len()
        {
            let (host, _) = self.pair(next);
            let state = &self.hosts[host as usize];
            if self.marks[next as usize] == Mark::PARKED && state.up && !state.suspect {
                self.progress.done -= 1;
                self.track(next, |known_open| Track::silent(known_open, 0));
                self.hosts[host as usize]
                    .line
                    .add_begun(Attempt::Port(next));
                self.begun += 1;
                self.take_turn(host, Moment::ZERO);
            }
            next += 1;
        }
        self.resumed = Some(next);
    }

    /// True for an answer that ends the sweep of its pair without more ado.
    pub(super) fn refuses(&self, pair: u32, answer: Answer) -> bool {
        answer == Answer::Rst && !self.is_known_open(pair)
    }
}
