//! The receiving half: what an answer means.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portwatch_domain::snapshot::{Answer, Evidence, PortState};

use super::{Engine, Mark};
use crate::engine::Moment;
use crate::udp::payloads::{datagram, proves};
use crate::udp::plan::token;
use crate::udp::track::Step;
use crate::udp::wire::{Event, Rejection, asked_port};

/// A host of which nothing is known but that it cannot be reached is given up when that was said so often, over
/// this time.
const UNREACHABLE_OFTEN: u32 = 3;
const UNREACHABLE_FOR: Duration = Duration::from_secs(2);
/// How many rejections are remembered with their evidence.
const REMEMBERED: usize = 4096;

/// What an ICMP error says of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Nothing listens on the port.
    NoPort,
    /// There is no way to the host, or the host is not there.
    NoHost,
    /// Somebody does not want it.
    Prohibited,
}

/// A rejection that is proven, and what it is good for.
#[derive(Clone, Copy, Debug)]
struct Concluding {
    /// When the probe left.
    sent: Moment,
    /// By the host itself, because nothing listens; else on the way.
    closed: bool,
    /// When the host was last known to be there.
    alive: Moment,
    evidence: Evidence,
}

/// RFC 792, RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1; RFC 4443 section 3.1. `None` if it says nothing
/// about the port.
fn meaning(to: IpAddr, kind: u8, code: u8) -> Option<Meaning> {
    match (to, kind, code) {
        (IpAddr::V4(_), 3, 3) | (IpAddr::V6(_), 1, 4) => Some(Meaning::NoPort),
        // Too large for the path: the probe was wrong, not the port.
        (IpAddr::V4(_), 3, 4) => None,
        (IpAddr::V4(_), 3, 0 | 1 | 6 | 7 | 8) | (IpAddr::V6(_), 1, 0 | 3) => Some(Meaning::NoHost),
        (IpAddr::V4(_), 3, ..=15) | (IpAddr::V6(_), 1, ..=6) => Some(Meaning::Prohibited),
        _ => None,
    }
}

impl Engine {
    /// Takes note of what came in at `now`.
    pub(in crate::udp) fn event(&mut self, now: Moment, event: Event) {
        let proven = match event {
            Event::Reply {
                from,
                lane,
                ttl,
                payload,
            } => self.replied(now, from, lane, ttl, &payload),
            Event::Rejected(rejection) => self.rejected(now, &rejection),
            Event::Blocked { to } => {
                if let Some(pair) = self.find(to) {
                    self.settle(pair, Mark::Undecided);
                }
                return;
            }
        };
        match proven {
            Some(true) => self.progress.answers += 1,
            Some(false) => self.progress.unproven += 1,
            None => {}
        }
    }

    fn find(&self, address: SocketAddr) -> Option<u32> {
        let host = *self.by_address.get(&address.ip())?;
        self.pair_of(host, address.port())
    }

    /// Whether it is proven; `None` if the port is told already.
    fn replied(
        &mut self,
        now: Moment,
        from: SocketAddr,
        lane: u8,
        ttl: Option<u8>,
        payload: &[u8],
    ) -> Option<bool> {
        let port = asked_port(lane, from.port());
        let Some(pair) = self.find(SocketAddr::new(from.ip(), port)) else {
            return Some(false);
        };
        let Some(track) = self.tracks.get_mut(&pair) else {
            return (self.marks[pair as usize] == Mark::Untold).then_some(false);
        };
        let token = token(&self.plan.key, from.ip(), port, lane);
        if !proves(port, lane.into(), token, payload) {
            return Some(false);
        }
        let Some(sent) = track.heard(lane) else {
            return Some(false);
        };
        let rtt = track.is_certain(lane).then(|| now.saturating_sub(sent));
        let evidence = Evidence {
            answer: Answer::UdpReply,
            ttl,
            rtt,
            probes: track.probes,
        };
        let (host, _) = self.pair(pair);
        let host = &mut self.hosts[host];
        host.pace.answered(rtt);
        host.up.get_or_insert(evidence);
        host.heard = Some(now);
        self.evidence.insert(pair, evidence);
        self.settle(pair, Mark::Open);
        Some(true)
    }

    /// As [`Self::replied`].
    fn rejected(&mut self, now: Moment, rejection: &Rejection) -> Option<bool> {
        let (to, lane) = (rejection.to, rejection.lane);
        let meaning = meaning(to.ip(), rejection.kind, rejection.code)?;
        let Some(pair) = self.find(to) else {
            return Some(false);
        };
        let Some(track) = self.tracks.get_mut(&pair) else {
            return (self.marks[pair as usize] == Mark::Untold).then_some(false);
        };
        let token = token(&self.plan.key, to.ip(), to.port(), lane);
        if !datagram(to.port(), lane.into(), token).starts_with(&rejection.quoted) {
            return Some(false);
        }
        let Some(sent) = track.heard(lane) else {
            return Some(false);
        };
        let rtt = track.is_certain(lane).then(|| now.saturating_sub(sent));
        let evidence = Evidence {
            answer: Answer::IcmpUnreachable(rejection.code),
            ttl: rejection.ttl,
            rtt,
            probes: track.probes,
        };
        let itself = rejection.by == to.ip();
        let (host, _) = self.pair(pair);
        self.hosts[host].pace.answered(rtt);
        self.hosts[host].pace.rejected(now);
        if itself {
            self.hosts[host].up.get_or_insert(evidence);
            self.hosts[host].heard = Some(now);
        }
        // That there is no way to the host says something of a port only as long as the host is heard nevertheless.
        let gone = !itself && meaning == Meaning::NoHost;
        let alive = if gone {
            self.hosts[host].heard.unwrap_or_default()
        } else {
            Moment::MAX
        };
        let verdict = Concluding {
            sent,
            closed: itself && meaning == Meaning::NoPort,
            alive,
            evidence,
        };
        self.conclude(now, pair, verdict);
        if gone {
            self.unreachable(now, host);
        }
        Some(true)
    }

    /// What follows for the port.
    fn conclude(&mut self, now: Moment, pair: u32, rejected: Concluding) {
        // That a port is closed which nobody believed to be open is no news that has to be confirmed.
        let needed = if rejected.closed && !self.is_known_open(pair) {
            1
        } else {
            2
        };
        let (host, _) = self.pair(pair);
        let Some(track) = self.tracks.get_mut(&pair) else {
            return;
        };
        let pace = &mut self.hosts[host].pace;
        let missed = track.missed(pace.epoch());
        match track.rejected(now, rejected.sent, rejected.closed, needed, rejected.alive) {
            Step::Told(state) => {
                pace.told(missed);
                self.tell(pair, state, rejected.evidence);
            }
            Step::AskAt(at) => self.ask_at(now, pair, at),
            Step::GiveUp => self.settle(pair, Mark::Undecided),
            Step::Wait => {}
        }
    }

    fn tell(&mut self, pair: u32, state: PortState, evidence: Evidence) {
        let mark = if state == PortState::Closed {
            Mark::Closed
        } else {
            Mark::Filtered
        };
        let is_rejected = mark == Mark::Filtered && self.evidence.len() < REMEMBERED;
        if is_rejected || self.is_known_open(pair) {
            self.evidence.insert(pair, evidence);
        }
        self.settle(pair, mark);
    }

    /// Somebody says that a host cannot be reached. If that goes on and the host itself was never heard of, its
    /// ports cannot be told.
    fn unreachable(&mut self, now: Moment, index: usize) {
        let host = &mut self.hosts[index];
        let (first, often) = host.unreachable.get_or_insert((now, 0));
        *often += 1;
        if host.up.is_some() || *often < UNREACHABLE_OFTEN || now < *first + UNREACHABLE_FOR {
            return;
        }
        host.place = self.ports.len() as u64;
        let ports = self.ports.len();
        let of_host = |pair: &&u32| **pair as usize / ports == index;
        let tracks: Vec<u32> = self.tracks.keys().filter(of_host).copied().collect();
        for pair in tracks {
            self.settle(pair, Mark::Undecided);
        }
        // Somebody who says that the host cannot be reached says nothing of a single port.
        for mark in &mut self.marks[index * ports..(index + 1) * ports] {
            self.progress.done += u64::from(*mark == Mark::Untold);
            *mark = Mark::Undecided;
        }
    }
}
