//! The scan as a state machine: it decides which probe leaves when, and what an answer or its absence means.
//!
//! It opens no socket, reads no clock and draws no random number. Whoever drives it passes the time in,
//! sends the probes that [`Engine::poll`] hands out, and tells it what came of them with [`Engine::event`].
//! With the same plan and the same answers at the same times it does the same, which is how it is tested.
//!
//! Every port goes through the [`sweep`], which keeps but a few bytes of it. One that does not simply refuse goes
//! on to a [`track`], which verifies. The order of the sweep is [`order`]'s; what leaves passes the buckets of
//! the job and of the process ([`pacing`]) and the windows of its host and network ([`congestion`]), whatever it
//! is for. Round-trip times are kept per host ([`rtt`]); the attempt's number is in the source port, so that a
//! measurement belongs to one transmission.

mod absence;
mod answer;
mod bucket;
mod congestion;
mod flight;
mod host;
mod line;
mod loss;
mod mark;
mod order;
mod pacing;
mod plan;
mod report;
mod rtt;
mod send;
mod slots;
mod sweep;
mod track;
mod witnesses;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use portwatch_domain::ports::{Port, Protocol};
use portwatch_domain::snapshot::Evidence;

pub use pacing::{Pacer, Rates};
pub use plan::{Plan, PlannedHost, SOURCE_PORTS, Secrets, Window};
pub use report::Rejected;

pub(crate) use bucket::Bucket;
pub(crate) use order::Order;
pub(crate) use pacing::Wait;

use congestion::Congestion;
use flight::Flight;
use host::Host;
use mark::Mark;
use pacing::Seat;
use slots::Slots;
use track::Track;

use crate::drive::Driven;
use crate::wire::{Event, Probe};

/// A point in time: the time since an origin which the driver chose, the same for all scans that share a
/// [`Pacer`].
pub type Moment = Duration;

/// What [`Engine::poll`] asks its driver to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send what was handed out, and call again at this time or when something comes in.
    At(Moment),
    /// The scan is over.
    Done,
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// (host, port) pairs to tell.
    pub total: u64,
    /// Those that are told, or given up.
    pub done: u64,
    /// Probes that left.
    pub sent: u64,
    /// Proven answers.
    pub answers: u64,
    /// Packets that looked like answers and proved nothing.
    pub unproven: u64,
    /// Open ports so far.
    pub open: u32,
    /// How often the receive queue overflowed.
    pub overflows: u32,
}

/// A scan in progress.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    /// The TCP ports of the plan, ascending.
    ports: Vec<u16>,
    /// The place of each port number in `ports`.
    places: Vec<Option<u16>>,
    hosts: Vec<Host>,
    /// The windows of the networks that the hosts are in.
    networks: Vec<Congestion>,
    /// Of each network, the host that answered last.
    awake: Vec<Option<u32>>,
    by_address: HashMap<IpAddr, u32, FixedState>,
    /// By pair: host × ports + place of the port.
    marks: Vec<Mark>,
    /// Of open ports, of ports known open, and of some that were rejected by ICMP.
    evidence: HashMap<u32, Evidence, FixedState>,
    /// The probes of the sweep that are out.
    flight: Flight,
    /// How many pairs the sweep has begun and not yet let go.
    sweeping: usize,
    /// The pair that the sweep could not send last time.
    held: Option<u32>,
    /// The pairs that are being verified.
    tracks: HashMap<u32, Track, FixedState>,
    timers: BinaryHeap<Reverse<(Moment, u64, u32)>>,
    last_timer: u64,
    /// Hosts with probes to send, by when they may; the number in the middle makes them take turns.
    turns: BinaryHeap<Reverse<(Moment, u64, u32)>>,
    last_turn: u64,
    /// Ports that are begun and not yet sent.
    begun: usize,
    order: Order,
    position: u64,
    resumed: Option<u32>,
    /// When this was last called.
    now: Moment,
    pace: Bucket,
    pacer: Arc<Pacer>,
    overflows: Slots,
    /// The last thing that the other scans of the process were told: a network that answered, and when.
    witnessed: (u32, u64),
    started: Moment,
    /// Not over before this: decoys are out.
    linger: Moment,
    /// How many of them were not answered.
    decoys: usize,
    progress: Progress,
}

impl Engine {
    /// A scan of `plan` that starts at `now`.
    pub fn new(plan: Plan, pacer: Arc<Pacer>, now: Moment) -> Self {
        let ports: Vec<u16> = plan
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Tcp)
            .map(|port| port.number)
            .collect();
        let mut places = vec![None; usize::from(u16::MAX) + 1];
        for (place, &port) in ports.iter().enumerate() {
            places[usize::from(port)] = u16::try_from(place).ok();
        }
        let pairs = plan.hosts.len() * ports.len();
        let by_address = plan.hosts.iter().map(PlannedHost::ip).zip(0..).collect();
        let seats = pacer.enter(plan.hosts.iter().map(PlannedHost::ip));
        let networks = seats
            .iter()
            .map(|seat| seat.network())
            .max()
            .map_or(0, |last| last + 1);
        let host = |(host, seat): (&PlannedHost, Seat)| {
            Host::new(host.addresses, seat, plan.window.map(|window| window.host))
        };
        Self {
            hosts: plan.hosts.iter().zip(seats).map(host).collect(),
            networks: vec![Congestion::new(plan.window.map(|window| window.network)); networks],
            awake: vec![None; networks],
            by_address,
            marks: vec![Mark::UNTOLD; pairs],
            evidence: HashMap::default(),
            flight: Flight::new(pairs),
            sweeping: 0,
            held: None,
            tracks: HashMap::default(),
            timers: BinaryHeap::new(),
            last_timer: 0,
            turns: BinaryHeap::new(),
            last_turn: 0,
            begun: 0,
            order: Order::new(pairs as u64, plan.secrets.order),
            position: 0,
            resumed: None,
            now,
            pace: Bucket::new(plan.rate),
            pacer,
            overflows: Slots::default(),
            witnessed: (u32::MAX, 0),
            started: now,
            linger: now,
            decoys: 0,
            progress: Progress {
                total: pairs as u64,
                ..Progress::default()
            },
            ports,
            places,
            plan,
        }
    }

    /// How far the scan is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The host and the port number of a pair.
    fn pair(&self, pair: u32) -> (u32, u16) {
        let ports = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
        (pair / ports, self.ports[(pair % ports) as usize])
    }

    fn is_known_open(&self, pair: u32) -> bool {
        let (host, port) = self.pair(pair);
        let known_open = &self.plan.hosts[host as usize].known_open;
        !known_open.is_empty() && known_open.contains(Port::tcp(port))
    }

    fn since_start(&self, at: Moment) -> Moment {
        at.saturating_sub(self.started)
    }
}

impl Driven for Engine {
    type Probe = Probe;
    type Event = Event;

    fn destination(probe: &Probe) -> IpAddr {
        probe.flow.addresses.destination()
    }

    fn event(&mut self, now: Moment, event: Event) {
        Self::event(self, now, event);
    }

    fn poll(&mut self, now: Moment, heard: Moment, batch: &mut Vec<Probe>) -> Next {
        Self::poll(self, now, heard, batch)
    }

    fn unsent(&mut self, now: Moment, probes: &[Probe]) {
        Self::unsent(self, now, probes);
    }

    fn progress(&self) -> Progress {
        Self::progress(self)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let seats: Vec<Seat> = self.hosts.iter().map(|host| host.seat).collect();
        self.pacer.leave(self.now, &seats);
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
