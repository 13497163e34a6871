//! The receiving half of the engine: what an answer means.

use std::time::Duration;

use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{Answer, PortState};
use portwatch_packet::{Answer as Said, Flow, Reply};

use super::line::Attempt;
use super::mark::Mark;
use super::order::Order;
use super::pacing::network_of;
use super::track::{ATTEMPTS, Heard, Step, Track, Waiting};
use super::{Engine, Moment, SOURCE_PORTS, witnesses};
use crate::wire::Event;

/// How many ports that nobody asked for are tried on a host that seems to answer *open* on everything.
const DECOYS: usize = 8;
/// Where decoys are drawn from: the dynamic ports of RFC 6335, on which services seldom listen.
const DECOY_RANGE: std::ops::RangeInclusive<u16> = 49_152..=65_535;
/// Of how many ports that were rejected by ICMP the code is remembered: a host could reject all its ports.
const EVIDENCE_KEPT: usize = 1 << 17;
/// What comes later can be the target's retransmission of a SYN-ACK that was lost, and says nothing about the
/// round-trip time, nor that the path was whole when the probe left.
const PROMPT: Duration = Duration::from_millis(900);

/// The round-trip time of an answer that certainly belongs to the probe that left at `left`.
fn prompt(left: Moment, now: Moment) -> Option<Duration> {
    let rtt = now.saturating_sub(left);
    (rtt < PROMPT).then_some(rtt)
}

impl Engine {
    /// Takes in what came from the wire at `now`.
    pub fn event(&mut self, now: Moment, event: Event) {
        match event {
            Event::Reply(reply) => self.reply(now, &reply),
            Event::Unsent(probe) => self.unsent(now, &[probe]),
            Event::Blocked(flow) => self.blocked(&flow),
            // Answers to what left from another address are not proven any more, and their ports are asked again.
            Event::Source { host, addresses } => {
                if let Some(host) = self.hosts.get_mut(host as usize) {
                    host.addresses = addresses;
                }
            }
            Event::Overflow => {
                let at = self.since_start(now);
                self.overflows.mark(at);
                self.progress.overflows = self.progress.overflows.saturating_add(1);
            }
        }
    }

    /// The host and the number of the source port of a probe; `None` if it is none of ours.
    pub(super) fn origin(&self, flow: &Flow) -> Option<(u32, u8)> {
        let host = *self.by_address.get(&flow.addresses.destination())?;
        let offset = flow.ports.source.checked_sub(self.plan.first_source_port)?;
        let ours = self.hosts[host as usize].addresses == flow.addresses;
        (ours && offset < SOURCE_PORTS).then_some((host, u8::try_from(offset).ok()?))
    }

    pub(super) fn pair_of(&self, host: u32, port: u16) -> Option<u32> {
        let place = usize::from(self.places[usize::from(port)]?);
        u32::try_from(host as usize * self.ports.len() + place).ok()
    }

    fn reply(&mut self, now: Moment, reply: &Reply) {
        let Some((host, offset)) = self.origin(&reply.flow) else {
            return;
        };
        if !self.key(offset).proves(reply) {
            self.progress.unproven += 1;
            return;
        }
        self.progress.answers += 1;
        let answer = match reply.answer {
            Said::SynAck { .. } => Answer::SynAck,
            Said::Rst { .. } => Answer::Rst,
            Said::Unreachable { code, .. } => Answer::IcmpUnreachable(code),
        };
        // A router that rejects a probe shows nothing about the host.
        let itself = match reply.answer {
            Said::Unreachable { reporter, .. } => reporter == reply.flow.addresses.destination(),
            Said::SynAck { .. } | Said::Rst { .. } => true,
        };
        let port = reply.flow.ports.destination;
        if offset >= ATTEMPTS {
            self.control_reply(now, host, offset - ATTEMPTS, port, answer);
            return;
        }
        let Some(pair) = self.pair_of(host, port) else {
            return;
        };
        let left = self.left(now, pair, offset);
        let rtt = left.and_then(|left| prompt(left, now));
        if itself {
            self.heard_from(host, port, answer, left.zip(rtt));
        }
        let heard = Heard {
            attempt: offset,
            answer,
            ttl: reply.ttl,
            at: now,
            rtt,
        };
        self.port_reply(host, pair, heard, left);
    }

    /// When the attempt that is answered left, if it is the last one and was not answered before.
    fn left(&self, now: Moment, pair: u32, attempt: u8) -> Option<Moment> {
        if let Some(swept) = self.marks[pair as usize].as_swept() {
            return (swept.out && swept.attempt == attempt).then(|| self.flight.left(pair, now));
        }
        let track = self.tracks.get(&pair)?;
        let last = track.waiting == Waiting::Answer && track.last() == Some(attempt);
        last.then_some(track.sent_at)
    }

    fn port_reply(&mut self, host: u32, pair: u32, heard: Heard, left: Option<Moment>) {
        if self.hosts[host as usize].suspect {
            return;
        }
        let mark = self.marks[pair as usize];
        if let Some(swept) = mark.as_swept() {
            self.count_answer(host, heard, left);
            if self.refuses(pair, heard.answer) {
                return self.settle(pair, Mark::CLOSED);
            }
            let sent_at = self.flight.left(pair, heard.at);
            self.track(pair, |known_open| Track::swept(known_open, swept, sent_at));
        } else if mark == Mark::PARKED {
            // The host is there after all: go on from the answer.
            self.progress.done -= 1;
            self.track(pair, |known_open| Track::silent(known_open, 0));
        } else if mark != Mark::TRACKED {
            return self.contradicted(pair, mark, heard.answer);
        } else if self.tracks.get(&pair).is_some_and(Track::is_unheard) {
            self.count_answer(host, heard, left);
        }
        let Some(track) = self.tracks.get_mut(&pair) else {
            return;
        };
        let was_opening = track.is_opening();
        let step = track.heard(heard);
        let opens = track.is_opening() && !was_opening;
        self.take_step(pair, step);
        if opens && self.hosts[host as usize].maybe_opened() {
            self.send_decoys(host);
        }
    }

    /// A port answered for the first time, which tells how many of its probes were lost.
    fn count_answer(&mut self, host: u32, heard: Heard, left: Option<Moment>) {
        // ICMP errors are rate-limited at their source: their absence says nothing about loss.
        if !matches!(heard.answer, Answer::SynAck | Answer::Rst) {
            return;
        }
        let state = &mut self.hosts[host as usize];
        state.loss.answered(heard.attempt);
        if let Some(left) = left {
            let timeout = state.rtt.timeout();
            for congestion in [
                &mut state.congestion,
                &mut self.networks[state.seat.network()],
            ] {
                congestion.answered(heard.at, left, heard.attempt, timeout);
            }
        }
    }

    /// An answer to a port with a verdict. One that says otherwise takes the verdict back: it may have come
    /// late, or the port may have changed in the meantime, and the next scan will tell.
    fn contradicted(&mut self, pair: u32, settled: Mark, answer: Answer) {
        let agrees = match settled {
            Mark::CLOSED => answer != Answer::SynAck,
            Mark::FILTERED => !matches!(answer, Answer::SynAck | Answer::Rst),
            _ => true,
        };
        if !agrees {
            self.evidence.remove(&pair);
            self.marks[pair as usize] = Mark::UNKNOWN;
        }
    }

    fn control_reply(&mut self, now: Moment, host: u32, slot: u8, port: u16, answer: Answer) {
        let state = &mut self.hosts[host as usize];
        let left = state.control_answered(slot, port);
        if self.places[usize::from(port)].is_none() {
            self.decoys -= usize::from(left.is_some());
            if self.decoys == 0 {
                self.linger = now;
            }
            if answer == Answer::SynAck && left.is_some() && state.decoy_opened() {
                self.suspect(host);
            }
            return;
        }
        let rtt = left.and_then(|left| prompt(left, now));
        if rtt.is_some() {
            state.loss.control_answered();
        }
        self.heard_from(host, port, answer, left.zip(rtt));
    }

    /// The host itself answered; to which of our transmissions and how soon, if that is certain.
    fn heard_from(
        &mut self,
        host: u32,
        port: u16,
        answer: Answer,
        timed: Option<(Moment, Duration)>,
    ) {
        let around = timed.map(|(left, _)| self.since_start(left));
        let state = &mut self.hosts[host as usize];
        state.answered(port, answer, around);
        self.awake[state.seat.network()] = Some(host);
        if let Some((left, rtt)) = timed {
            state.rtt.measured(rtt);
            let network = u32::try_from(state.seat.network()).unwrap_or(u32::MAX);
            let witnessed = (network, witnesses::index(left));
            if self.witnessed != witnessed {
                self.witnessed = witnessed;
                let network = network_of(state.addresses.destination());
                self.pacer.witnesses().heard(network, left);
            }
        }
    }

    /// The machine itself refuses to send this probe (a firewall rule, a route): nothing is learnt of the port.
    fn blocked(&mut self, flow: &Flow) {
        let Some((host, offset)) = self.origin(flow) else {
            return;
        };
        if offset < ATTEMPTS
            && let Some(pair) = self.pair_of(host, flow.ports.destination)
            && (self.tracks.contains_key(&pair) || self.marks[pair as usize].as_swept().is_some())
        {
            self.settle(pair, Mark::UNKNOWN);
        }
    }

    /// Does what the state of a port asks for.
    pub(super) fn take_step(&mut self, pair: u32, step: Step) {
        match step {
            Step::Wait => {}
            Step::Probe => self.enqueue(pair),
            Step::ProbeAt(at) => {
                self.wait_for(pair, Waiting::Pause);
                self.set_timer(pair, at);
            }
            Step::Park => self.settle(pair, Mark::PARKED),
            Step::Unknown => self.settle(pair, Mark::UNKNOWN),
            Step::Verdict(state, evidence) => {
                let alone = state == PortState::Open || self.is_known_open(pair);
                let kept = self.evidence.len() < EVIDENCE_KEPT;
                if alone
                    || (kept
                        && evidence.answer != Answer::NoResponse
                        && state == PortState::Filtered)
                {
                    self.evidence.insert(pair, evidence);
                }
                match state {
                    PortState::Open => {
                        self.settle(pair, Mark::OPEN);
                        self.progress.open += 1;
                        let (host, _) = self.pair(pair);
                        if self.hosts[host as usize].found_open(self.plan.max_open_ports) {
                            self.suspect(host);
                        }
                    }
                    PortState::Closed => self.settle(pair, Mark::CLOSED),
                    PortState::Filtered => self.settle(pair, Mark::FILTERED),
                    PortState::Unknown => self.settle(pair, Mark::UNKNOWN),
                }
            }
        }
    }

    /// This is what is told of the pair.
    pub(super) fn settle(&mut self, pair: u32, mark: Mark) {
        let before = self.marks[pair as usize];
        if before == Mark::TRACKED {
            self.wait_for(pair, Waiting::Pause);
            self.tracks.remove(&pair);
        }
        self.leave_sweep(pair);
        self.marks[pair as usize] = mark;
        self.progress.done += 1;
    }

    /// Gives the host up: what it says of its ports is worth nothing.
    fn suspect(&mut self, host: u32) {
        let state = &mut self.hosts[host as usize];
        state.suspect = true;
        self.progress.open = self.progress.open.saturating_sub(state.open());
        self.begun -= state.line.begun();
        state.line.clear();
        let ports = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
        let first = host * ports;
        for pair in first..first + ports {
            let mark = self.marks[pair as usize];
            if mark == Mark::TRACKED || mark.as_swept().is_some() {
                self.settle(pair, Mark::UNKNOWN);
            }
        }
    }

    fn send_decoys(&mut self, host: u32) {
        let count = u64::from(DECOY_RANGE.end() - DECOY_RANGE.start()) + 1;
        let order = Order::new(count, self.plan.secrets.order ^ u64::from(host));
        let decoys: Vec<u16> = (0..count)
            .filter_map(|position| u16::try_from(order.at(position)).ok())
            .map(|place| DECOY_RANGE.start() + place)
            .filter(|&port| !self.plan.ports.contains(Port::tcp(port)))
            .take(DECOYS)
            .collect();
        for port in decoys {
            self.line_up(host, Attempt::Decoy(port));
        }
    }
}
