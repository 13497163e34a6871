//! The sending half of the engine: which probe is next, and when.

use std::cmp::Reverse;
use std::time::Duration;

use portwatch_packet::{Flow, Ports};

use super::line::Attempt;
use super::pacing::Wait;
use super::track::{ATTEMPTS, SWEEP_ATTEMPTS, Step, Track, Unheard, Waiting};
use super::{Engine, Mark, Moment, Next};
use crate::wire::Probe;

/// How many probes one call hands out at most.
const BATCH: usize = 64;
/// How many begun ports stand in line at most. Enough that every host has some, since the order is random.
const LOOKAHEAD: usize = 4096;

impl Engine {
    /// Adds the probes that may leave at `now` to `batch`, and says when to call again. All answers that came
    /// until `heard` have been told with [`Engine::event`], so that what is still missing then is missing.
    pub fn poll(&mut self, now: Moment, heard: Moment, batch: &mut Vec<Probe>) -> Next {
        if now >= self.plan.deadline {
            return Next::Done;
        }
        self.run_timers(heard);
        self.begin_ports();
        let gate = self.fill(now, batch);
        if self.tracks.is_empty() {
            // What is left are timers of ports that were answered.
            self.timers.clear();
        }
        let timer = self.timers.peek().map(|&Reverse((at, ..))| at);
        let turn = self.turns.peek().map(|&Reverse((at, ..))| at.max(gate));
        let linger = (self.linger > now).then_some(self.linger);
        match [timer, turn, linger].into_iter().flatten().min() {
            Some(at) => Next::At(at.min(self.plan.deadline)),
            None => Next::Done,
        }
    }

    /// Takes back probes that were handed out and did not leave. They will be handed out again.
    pub fn unsent(&mut self, now: Moment, probes: &[Probe]) {
        for probe in probes.iter().rev() {
            let Some((host, offset)) = self.origin(&probe.flow) else {
                continue;
            };
            self.progress.sent = self.progress.sent.saturating_sub(1);
            let Some(pair) = self.pair_of(host, probe.flow.ports.destination) else {
                continue;
            };
            if offset >= ATTEMPTS {
                // A control that did not leave is not lost, and the next silence asks for another.
                self.hosts[usize::from(host)].loss.control_answered();
                continue;
            }
            if let Some(track) = self.tracks.get_mut(&pair)
                && track.waiting == Waiting::Answer
                && track.last() == Some(offset)
            {
                track.take_back();
                track.timer = 0;
                track.waiting = Waiting::Turn;
                self.hosts[usize::from(host)]
                    .line
                    .add_first(Attempt::Port(pair));
                self.take_turn(host, now);
            }
        }
    }

    /// Puts the next attempt of a pair in line.
    pub(super) fn enqueue(&mut self, pair: u32) {
        let (host, _) = self.pair(pair);
        if let Some(track) = self.tracks.get_mut(&pair) {
            track.waiting = Waiting::Turn;
            track.timer = 0;
            self.line_up(host, Attempt::Port(pair));
        }
    }

    pub(super) fn line_up(&mut self, host: u16, attempt: Attempt) {
        self.hosts[usize::from(host)].line.add_due(attempt);
        self.take_turn(host, Moment::ZERO);
    }

    fn take_turn(&mut self, host: u16, at: Moment) {
        let state = &mut self.hosts[usize::from(host)];
        if !state.is_queued {
            state.is_queued = true;
            self.last_turn += 1;
            self.turns.push(Reverse((at, self.last_turn, host)));
        }
    }

    /// Calls [`Self::expired`] or sends the next attempt of this pair at `at`.
    pub(super) fn set_timer(&mut self, pair: u32, at: Moment) {
        if let Some(track) = self.tracks.get_mut(&pair) {
            self.last_timer += 1;
            track.timer = self.last_timer;
            self.timers.push(Reverse((at, self.last_timer, pair)));
        }
    }

    fn run_timers(&mut self, now: Moment) {
        while let Some(&Reverse((at, timer, pair))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            match self.tracks.get(&pair) {
                Some(track) if track.timer != timer => {}
                Some(track) if track.waiting == Waiting::Pause => self.enqueue(pair),
                Some(_) => self.expired(now, pair),
                None => {}
            }
        }
    }

    /// The last attempt on this pair was not answered in time.
    fn expired(&mut self, now: Moment, pair: u32) {
        let (host, _) = self.pair(pair);
        let host = &self.hosts[usize::from(host)];
        let Some(sent) = self
            .tracks
            .get(&pair)
            .map(|track| self.since_start(track.sent_at))
        else {
            return;
        };
        let overflowed = self.overflows.any(sent, self.since_start(now));
        let unheard = Unheard {
            host_up: host.up,
            counts: host.up && !overflowed && host.answered_around(sent),
            needed: host.loss.silences_needed(),
        };
        let step = self
            .tracks
            .get_mut(&pair)
            .map_or(Step::Wait, |track| track.unheard(unheard));
        self.take_step(pair, step);
    }

    /// Begins new ports while there is room: first the sweep, then what was silent before its host answered.
    fn begin_ports(&mut self) {
        let pairs = self.marks.len() as u64;
        while self.begun < LOOKAHEAD && self.position < pairs {
            let pair = u32::try_from(self.order.at(self.position)).unwrap_or(u32::MAX);
            self.position += 1;
            self.begin(pair, Track::new);
        }
        if self.position < pairs || (self.resumed.is_none() && !self.tracks.is_empty()) {
            return;
        }
        let mut next = self.resumed.unwrap_or(0);
        while self.begun < LOOKAHEAD && (next as usize) < self.marks.len() {
            let (host, _) = self.pair(next);
            if self.marks[next as usize] == Mark::Parked && self.hosts[usize::from(host)].up {
                self.marks[next as usize] = Mark::Untold;
                self.progress.done -= 1;
                self.begin(next, Track::resumed);
            }
            next += 1;
        }
        self.resumed = Some(next);
    }

    fn begin(&mut self, pair: u32, track: fn(bool) -> Track) {
        let (host, _) = self.pair(pair);
        if self.hosts[usize::from(host)].suspect {
            self.settle(pair, Mark::Unknown);
            return;
        }
        let track = track(self.is_known_open(pair));
        self.tracks.insert(pair, track);
        self.hosts[usize::from(host)]
            .line
            .add_begun(Attempt::Port(pair));
        self.begun += 1;
        self.take_turn(host, Moment::ZERO);
    }

    /// Hands out what may leave now. Returns when the scan as a whole may send again.
    fn fill(&mut self, now: Moment, batch: &mut Vec<Probe>) -> Moment {
        while batch.len() < BATCH
            && let Some(&Reverse((at, _, host))) = self.turns.peek()
            && at <= now
        {
            let gate = self.pace.next(now);
            if gate > now {
                return gate;
            }
            let state = &mut self.hosts[usize::from(host)];
            let begun = state.line.begun();
            let Some(attempt) = state.line.next() else {
                state.is_queued = false;
                self.turns.pop();
                continue;
            };
            self.begun -= begun - state.line.begun();
            if !self.is_wanted(attempt) {
                continue;
            }
            let state = &mut self.hosts[usize::from(host)];
            let taken = self.pacer.take(now, state.addresses.destination());
            if taken.is_err() {
                state.line.add_first(attempt);
            }
            let next_turn = match taken {
                Ok(()) => now,
                Err(Wait::Host(at)) => at,
                Err(Wait::All(at)) => return at,
            };
            self.turns.pop();
            self.last_turn += 1;
            self.turns.push(Reverse((next_turn, self.last_turn, host)));
            if taken.is_ok() {
                self.pace.take(now);
                self.progress.sent += 1;
                batch.extend(self.transmit(now, host, attempt));
            }
        }
        now
    }

    /// False for an attempt that was answered while it stood in line.
    fn is_wanted(&self, attempt: Attempt) -> bool {
        match attempt {
            Attempt::Control(_) | Attempt::Decoy(_) => true,
            Attempt::Port(pair) => {
                let track = self.tracks.get(&pair);
                track.is_some_and(|track| track.waiting == Waiting::Turn)
            }
        }
    }

    fn transmit(&mut self, now: Moment, host: u16, attempt: Attempt) -> Option<Probe> {
        let state = &mut self.hosts[usize::from(host)];
        let (offset, port) = match attempt {
            Attempt::Control(port) => {
                state.loss.control_sent();
                (ATTEMPTS + state.control_sent(now, port), port)
            }
            Attempt::Decoy(port) => {
                self.linger = now + Duration::from_secs(1);
                (ATTEMPTS + state.control_sent(now, port), port)
            }
            Attempt::Port(pair) => {
                let (_, port) = self.pair(pair);
                (self.transmit_attempt(now, host, pair)?, port)
            }
        };
        let flow = Flow {
            addresses: self.hosts[usize::from(host)].addresses,
            ports: Ports {
                source: self.plan.first_source_port + u16::from(offset),
                destination: port,
            },
        };
        let sequence = self.key(offset).sequence(&flow);
        Some(Probe { flow, sequence })
    }

    /// Counts the attempt, starts its timer, and asks for a control where silence is expected.
    fn transmit_attempt(&mut self, now: Moment, host: u16, pair: u32) -> Option<u8> {
        let timeout = self.hosts[usize::from(host)].rtt.timeout();
        let track = self.tracks.get_mut(&pair)?;
        let needs_control = track.needs_control();
        let attempt = track.transmit(now);
        let patience = track.patience(timeout);
        self.set_timer(pair, now + patience);
        if needs_control {
            let since_start = self.since_start(now);
            let state = &mut self.hosts[usize::from(host)];
            if let Some(port) = state.wants_control(since_start) {
                state.control_asked(since_start);
                state.line.add_first(Attempt::Control(port));
            }
        }
        Some(attempt)
    }

    /// The key of the probe with this source port.
    pub(super) fn key(&self, offset: u8) -> &portwatch_packet::Key {
        if offset < SWEEP_ATTEMPTS {
            &self.plan.secrets.sweep
        } else {
            &self.plan.secrets.verify
        }
    }
}
