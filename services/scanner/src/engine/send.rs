//! The sending half of the engine: which probe is next, and when.

use std::cmp::Reverse;
use std::time::Duration;

use portwatch_packet::{Flow, Ports};

use super::line::Attempt;
use super::mark::Mark;
use super::pacing::{Gate, Wait};
use super::track::{ATTEMPTS, SWEEP_ATTEMPTS, Step, Unheard, Waiting};
use super::{Engine, Moment, Next};
use crate::wire::Probe;

/// How many probes one call hands out at most.
const BATCH: usize = 64;
/// How long decoys are waited for: as long as a connection may take.
const LONGEST_LINGER: Duration = Duration::from_secs(3);
/// How soon to look again whether a window has room.
const WINDOW_PAUSE: Duration = Duration::from_millis(1);

impl Engine {
    /// Adds the probes that may leave at `now` to `batch`, and says when to call again. All answers that came
    /// until `heard` have been told with [`Engine::event`], so that what is still missing then is missing.
    pub fn poll(&mut self, now: Moment, heard: Moment, batch: &mut Vec<Probe>) -> Next {
        self.now = now;
        if now >= self.plan.deadline {
            return Next::Done;
        }
        self.run_timers(heard);
        self.expire_sweep(heard);
        self.resume_parked();
        let gate = self.fill(now, batch);
        if self.tracks.is_empty() {
            // What is left are timers of ports that were answered.
            self.timers.clear();
        }
        if self.sweeping == 0 {
            self.flight.clear();
        }
        let timer = self.timers.peek().map(|&Reverse((at, ..))| at);
        let flight = self.flight.next_due(now);
        let turn = self.turns.peek().map(|&Reverse((at, ..))| at.max(gate));
        let more = self.has_more().then_some(gate);
        let linger = (self.linger > now).then_some(self.linger);
        match [timer, flight, turn, more, linger]
            .into_iter()
            .flatten()
            .min()
        {
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
                self.hosts[host as usize].loss.control_answered();
                continue;
            }
            if self.take_back(pair, offset) {
                self.hosts[host as usize]
                    .line
                    .add_first(Attempt::Port(pair));
                self.take_turn(host, now);
            }
        }
    }

    /// True if this attempt was the last one of its pair, and waits for its turn again.
    fn take_back(&mut self, pair: u32, attempt: u8) -> bool {
        if self.take_back_swept(pair, attempt) {
            return true;
        }
        let Some(track) = self.tracks.get_mut(&pair) else {
            return false;
        };
        if track.waiting != Waiting::Answer || track.last() != Some(attempt) {
            return false;
        }
        track.take_back();
        track.timer = 0;
        self.wait_for(pair, Waiting::Turn);
        true
    }

    /// Puts the next attempt of a pair in line.
    pub(super) fn enqueue(&mut self, pair: u32) {
        let (host, _) = self.pair(pair);
        if let Some(track) = self.tracks.get_mut(&pair) {
            track.timer = 0;
            self.wait_for(pair, Waiting::Turn);
            self.line_up(host, Attempt::Port(pair));
        }
    }

    /// What the track waits for from now on. Keeps count of what is out.
    pub(super) fn wait_for(&mut self, pair: u32, waiting: Waiting) {
        let (host, _) = self.pair(pair);
        let Some(track) = self.tracks.get_mut(&pair) else {
            return;
        };
        let was_out = std::mem::replace(&mut track.waiting, waiting) == Waiting::Answer;
        match (was_out, waiting == Waiting::Answer) {
            (true, false) => self.landed(host),
            (false, true) => self.out(host),
            _ => {}
        }
    }

    /// A probe to a port of this host is out.
    pub(super) fn out(&mut self, host: u32) {
        let host = &mut self.hosts[host as usize];
        host.congestion.sent();
        self.networks[host.seat.network()].sent();
    }

    /// A probe to a port of this host is not waited for any more.
    pub(super) fn landed(&mut self, host: u32) {
        let host = &mut self.hosts[host as usize];
        host.congestion.landed();
        self.networks[host.seat.network()].landed();
    }

    pub(super) fn line_up(&mut self, host: u32, attempt: Attempt) {
        self.hosts[host as usize].line.add_due(attempt);
        self.take_turn(host, Moment::ZERO);
    }

    pub(super) fn take_turn(&mut self, host: u32, at: Moment) {
        let state = &mut self.hosts[host as usize];
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
        let (index, _) = self.pair(pair);
        let Some(sent_at) = self.tracks.get(&pair).map(|track| track.sent_at) else {
            return;
        };
        let sent = self.since_start(sent_at);
        let overflowed = self.overflows.any(sent, self.since_start(now));
        if !self.hosts[index as usize].up && !overflowed {
            self.missed(index, pair, sent_at);
        }
        let goes_on = self.goes_on(index, pair);
        let host = &self.hosts[index as usize];
        let attempts = if host.is_gone(now) {
            0
        } else {
            self.plan.attempts
        };
        let unheard = Unheard {
            goes_on,
            counts: host.up && !overflowed && host.answered_around(sent),
            needed: host.loss.silences_needed(),
            attempts,
        };
        let step = self
            .tracks
            .get_mut(&pair)
            .map_or(Step::Wait, |track| track.unheard(unheard));
        self.take_step(pair, step);
    }

    /// Hands out what may leave now: first what hosts have in line, then what the sweep has not begun. Returns when
    /// the scan as a whole may send again.
    fn fill(&mut self, now: Moment, batch: &mut Vec<Probe>) -> Moment {
        let pacer = self.pacer.clone();
        let mut gate = pacer.lock();
        while batch.len() < BATCH
            && let Some(&Reverse((at, _, host))) = self.turns.peek()
            && at <= now
        {
            let open_at = self.pace.next(now);
            if open_at > now {
                return open_at;
            }
            let state = &mut self.hosts[host as usize];
            let begun = state.line.begun();
            let Some(attempt) = state.line.next() else {
                state.is_queued = false;
                self.turns.pop();
                continue;
            };
            self.begun -= begun - state.line.begun();
            let is_gone = state.is_gone(now);
            if !self.is_wanted(attempt) {
                continue;
            }
            if let Attempt::Port(pair) = attempt
                && is_gone
            {
                self.settle(pair, Mark::UNKNOWN);
                continue;
            }
            let taken = self.take(&mut gate, now, host);
            if taken.is_err() {
                self.hosts[host as usize].line.add_first(attempt);
            }
            let wait = match taken {
                Ok(()) => None,
                Err(Wait::Host(at)) => Some(at),
                Err(Wait::All(at)) => return at,
            };
            self.turns.pop();
            if wait.is_none() {
                batch.extend(self.transmit(now, host, attempt));
            }
            self.last_turn += 1;
            // A control leaves with its probe, whoever else waits: later it would show nothing.
            let is_control = self.hosts[host as usize].line.begins_with_control();
            let turn = match wait {
                Some(at) => (at, self.last_turn, host),
                None if is_control => (Moment::ZERO, 0, host),
                None => (now, self.last_turn, host),
            };
            self.turns.push(Reverse(turn));
        }
        self.sweep(&mut gate, now, batch, BATCH)
    }

    /// Takes the token of one probe to this host, from all buckets and windows or from none. The scan's own bucket
    /// was asked before.
    pub(super) fn take(&mut self, gate: &mut Gate<'_>, now: Moment, host: u32) -> Result<(), Wait> {
        let host = &self.hosts[host as usize];
        if !host.congestion.has_room() || !self.networks[host.seat.network()].has_room() {
            return Err(Wait::Host(now + WINDOW_PAUSE));
        }
        gate.take(now, host.seat)?;
        self.pace.take(now);
        self.progress.sent += 1;
        Ok(())
    }

    /// False for an attempt that was answered while it stood in line.
    fn is_wanted(&self, attempt: Attempt) -> bool {
        match attempt {
            Attempt::Control(_) | Attempt::Decoy(_) => true,
            Attempt::Port(pair) => {
                if let Some(swept) = self.marks[pair as usize].as_swept() {
                    return !swept.out;
                }
                let track = self.tracks.get(&pair);
                track.is_some_and(|track| track.waiting == Waiting::Turn)
            }
        }
    }

    /// The probe of this attempt, which leaves now.
    pub(super) fn transmit(&mut self, now: Moment, host: u32, attempt: Attempt) -> Option<Probe> {
        let (offset, port) = match attempt {
            Attempt::Control(port) => {
                self.hosts[host as usize].loss.control_sent();
                (ATTEMPTS + self.transmit_control(now, host, port), port)
            }
            Attempt::Decoy(port) => {
                self.linger = now + LONGEST_LINGER;
                self.decoys += 1;
                (ATTEMPTS + self.transmit_control(now, host, port), port)
            }
            Attempt::Port(pair) => {
                let (_, port) = self.pair(pair);
                let offset = match self.transmit_swept(now, host, pair) {
                    Some(offset) => offset,
                    None => self.transmit_attempt(now, host, pair)?,
                };
                (offset, port)
            }
        };
        let flow = Flow {
            addresses: self.hosts[host as usize].addresses,
            ports: Ports {
                source: self.plan.first_source_port + u16::from(offset),
                destination: port,
            },
        };
        let sequence = self.key(offset).sequence(&flow);
        let since_start = self.since_start(now);
        let repeated = (1..ATTEMPTS).contains(&offset);
        Some(Probe {
            host,
            flow,
            by_kernel: repeated && self.hosts[host as usize].checks_the_way(since_start),
            sequence,
        })
    }

    /// Which of the control source ports a control or decoy takes.
    fn transmit_control(&mut self, now: Moment, host: u32, port: u16) -> u8 {
        let state = &mut self.hosts[host as usize];
        let (slot, missing) = state.control_sent(now, port);
        if let Some(left) = missing {
            let timeout = state.rtt.timeout();
            let network = &mut self.networks[state.seat.network()];
            state.congestion.control_lost(now, left, timeout);
            network.control_lost(now, left, timeout);
        }
        slot
    }

    /// Counts the attempt, starts its timer, and asks for a control where silence is expected.
    fn transmit_attempt(&mut self, now: Moment, host: u32, pair: u32) -> Option<u8> {
        let state = &self.hosts[host as usize];
        let (timeout, lossy) = (state.rtt.timeout(), state.loss.is_lossy());
        let host_up = state.up;
        let track = self.tracks.get_mut(&pair)?;
        let needs_control = track.needs_control();
        let attempt = track.transmit(now, lossy);
        let patience = track.patience(timeout, host_up);
        self.wait_for(pair, Waiting::Answer);
        self.set_timer(pair, now + patience);
        if needs_control {
            self.ask_control(now, host);
        }
        Some(attempt)
    }

    /// Has a control sent with an attempt whose silence should mean something, if none is needed for another one.
    pub(super) fn ask_control(&mut self, now: Moment, host: u32) {
        let since_start = self.since_start(now);
        let state = &self.hosts[host as usize];
        // A host that was never heard has none; whether its network answers then tells whether it is down.
        let host = match self.awake[state.seat.network()] {
            Some(neighbour) if !state.up => neighbour,
            _ => host,
        };
        let state = &mut self.hosts[host as usize];
        if let Some(port) = state.wants_control(since_start) {
            state.control_asked(since_start);
            state.line.add_first(Attempt::Control(port));
            self.take_turn(host, Moment::ZERO);
        }
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
