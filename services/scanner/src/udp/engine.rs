//! A UDP scan as a state machine: which probe leaves when, and what an answer or its absence means.
//!
//! It opens no socket, reads no clock and draws no random number, like the engine of the TCP scan, and it draws on
//! the same [`Pacer`]. The ports known open come first, then all others in the seeded order of their host; hosts
//! take turns.

mod answer;
mod send;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use portwatch_domain::ports::{Port, Protocol};
use portwatch_domain::snapshot::Evidence;

use super::pace::Pace;
use super::plan::UdpPlan;
use super::track::{Track, Waiting};
use super::wire::{Event, Probe};
use crate::drive::Driven;
use crate::engine::{Bucket, Moment, Next, Order, Pacer, Progress};

/// What is settled about a (host, port) pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing yet.
    Untold,
    Open,
    Closed,
    Filtered,
    /// Open or filtered: it was silent, or the answers contradicted each other.
    Undecided,
}

/// What is known of a host, and what it waits for.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) ip: IpAddr,
    pace: Pace,
    /// Pairs whose turn it is.
    line: VecDeque<u32>,
    order: Order,
    /// How many places of the order are begun.
    place: u64,
    /// How many of its pairs are being told.
    tracks: usize,
    /// The first answer of the host itself.
    pub(super) up: Option<Evidence>,
    /// When the host itself was last heard.
    heard: Option<Moment>,
    /// When somebody first said that the host cannot be reached, and how often.
    unreachable: Option<(Moment, u32)>,
}

/// A UDP scan in progress.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) plan: UdpPlan,
    /// The UDP ports of the plan, ascending.
    pub(super) ports: Vec<u16>,
    places: HashMap<u16, u32>,
    pub(super) hosts: Vec<Host>,
    by_address: HashMap<IpAddr, usize>,
    /// By pair: host × ports + place of the port.
    pub(super) marks: Vec<Mark>,
    /// Of open ports, of ports known open, and of some that were rejected.
    pub(super) evidence: HashMap<u32, Evidence>,
    /// The pairs that are being told.
    tracks: HashMap<u32, Track>,
    timers: BinaryHeap<Reverse<(Moment, u64, u32)>>,
    last_timer: u64,
    /// The host whose turn it is.
    turn: usize,
    /// The rate of this scan.
    rate: Bucket,
    pacer: Arc<Pacer>,
    progress: Progress,
}

impl Engine {
    /// A scan of `plan` that starts at `now`.
    pub(super) fn new(plan: UdpPlan, pacer: Arc<Pacer>, now: Moment) -> Self {
        let ports: Vec<u16> = plan
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Udp)
            .map(|port| port.number)
            .collect();
        let total = ports.len() * plan.hosts.len();
        let host = |(index, host): (u64, &super::UdpTarget)| Host {
            ip: host.ip,
            pace: Pace::new(),
            line: VecDeque::new(),
            order: Order::new(ports.len() as u64, plan.order.wrapping_add(index)),
            place: 0,
            tracks: 0,
            up: None,
            heard: None,
            unreachable: None,
        };
        let mut engine = Self {
            hosts: (0..).zip(&plan.hosts).map(host).collect(),
            by_address: plan.hosts.iter().map(|host| host.ip).zip(0..).collect(),
            places: ports.iter().copied().zip(0..).collect(),
            marks: vec![Mark::Untold; total],
            evidence: HashMap::new(),
            tracks: HashMap::new(),
            timers: BinaryHeap::new(),
            last_timer: 0,
            turn: 0,
            rate: Bucket::new(plan.rate),
            pacer,
            progress: Progress {
                total: total as u64,
                ..Progress::default()
            },
            ports,
            plan,
        };
        engine.begin_known(now);
        engine
    }

    /// The pairs known open stand first in line.
    fn begin_known(&mut self, now: Moment) {
        if now >= self.plan.deadline {
            return;
        }
        for host in 0..self.hosts.len() {
            let known = self.plan.hosts[host].known_open.clone();
            for port in known.iter().filter(|port| port.protocol == Protocol::Udp) {
                if let Some(pair) = self.pair_of(host, port.number) {
                    self.begin(pair);
                }
            }
        }
    }

    fn begin(&mut self, pair: u32) {
        let (host, _) = self.pair(pair);
        self.tracks.insert(pair, Track::new());
        self.hosts[host].tracks += 1;
        self.hosts[host].line.push_back(pair);
    }

    /// The host and the port number of a pair.
    pub(super) fn pair(&self, pair: u32) -> (usize, u16) {
        let (pair, ports) = (pair as usize, self.ports.len());
        (pair / ports, self.ports[pair % ports])
    }

    fn pair_of(&self, host: usize, port: u16) -> Option<u32> {
        let place = *self.places.get(&port)?;
        let first = u32::try_from(host * self.ports.len()).ok()?;
        Some(first + place)
    }

    pub(super) fn is_known_open(&self, pair: u32) -> bool {
        let (host, port) = self.pair(pair);
        self.plan.hosts[host].known_open.contains(Port::udp(port))
    }

    /// Nothing more is asked about this pair.
    fn settle(&mut self, pair: u32, mark: Mark) {
        let (host, _) = self.pair(pair);
        let Some(track) = self.tracks.remove(&pair) else {
            return;
        };
        let host = &mut self.hosts[host];
        host.tracks -= 1;
        if track.waiting == Waiting::Answer {
            host.pace.resolved();
        }
        self.marks[pair as usize] = mark;
        self.progress.done += 1;
        self.progress.open += u32::from(mark == Mark::Open);
    }
}

impl Driven for Engine {
    type Probe = Probe;
    type Event = Event;

    fn destination(probe: &Probe) -> IpAddr {
        probe.to.ip()
    }

    fn event(&mut self, now: Moment, event: Event) {
        Self::event(self, now, event);
    }

    fn poll(&mut self, now: Moment, heard: Moment, batch: &mut Vec<Probe>) -> Next {
        Self::poll(self, now, heard, batch)
    }

    fn unsent(&mut self, _: Moment, probes: &[Probe]) {
        Self::unsent(self, probes);
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
