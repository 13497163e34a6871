//! The scan as a state machine: it decides which probe leaves when, and what an answer or its absence means.
//!
//! It opens no socket, reads no clock and draws no random number. Whoever drives it passes the time in,
//! sends the probes that [`Engine::poll`] hands out, and tells it what came of them with [`Engine::event`].
//! With the same plan and the same answers at the same times it does the same, which is how it is tested.
//!
//! Every port goes through [`track`]; the order of the sweep is [`order`]'s; what leaves passes the buckets of
//! the job and of the process ([`pacing`]), whatever it is for. Round-trip times are kept per host ([`rtt`]);
//! the attempt's number is in the source port, so that a measurement belongs to one transmission.

mod answer;
mod bucket;
mod host;
mod line;
mod loss;
mod order;
mod pacing;
mod plan;
mod report;
mod rtt;
mod send;
mod slots;
mod track;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portwatch_domain::ports::{Port, Protocol};
use portwatch_domain::snapshot::Evidence;

pub use pacing::{Pacer, Rates};
pub use plan::{Plan, PlannedHost, SOURCE_PORTS, Secrets};
pub use report::Rejected;

use bucket::Bucket;
use host::Host;
use order::Order;
use slots::Slots;
use track::Track;

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

/// What is settled about a (host, port) pair. One byte each: there can be 16 million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Nothing yet.
    Untold,
    /// Silent in the sweep, of a host that had not answered at all.
    Parked,
    Open,
    Closed,
    Filtered,
    /// Given up.
    Unknown,
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
    by_address: HashMap<IpAddr, u16>,
    /// By pair: host × ports + place of the port.
    marks: Vec<Mark>,
    /// Of open ports, of ports known open, and of some that were rejected by ICMP.
    evidence: HashMap<u32, Evidence>,
    /// The pairs that are being probed.
    tracks: HashMap<u32, Track>,
    timers: BinaryHeap<Reverse<(Moment, u64, u32)>>,
    last_timer: u64,
    /// Hosts with probes to send, by when they may; the number in the middle makes them take turns.
    turns: BinaryHeap<Reverse<(Moment, u64, u16)>>,
    last_turn: u64,
    /// Ports that are begun and not yet sent.
    begun: usize,
    order: Order,
    position: u64,
    resumed: Option<u32>,
    pace: Bucket,
    pacer: Arc<Pacer>,
    overflows: Slots,
    started: Moment,
    /// Not over before this: decoys are out.
    linger: Moment,
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
        Self {
            hosts: plan
                .hosts
                .iter()
                .map(|host| Host::new(host.addresses))
                .collect(),
            by_address,
            marks: vec![Mark::Untold; pairs],
            evidence: HashMap::new(),
            tracks: HashMap::new(),
            timers: BinaryHeap::new(),
            last_timer: 0,
            turns: BinaryHeap::new(),
            last_turn: 0,
            begun: 0,
            order: Order::new(pairs as u64, plan.secrets.order),
            position: 0,
            resumed: None,
            pace: Bucket::new(plan.rate),
            pacer,
            overflows: Slots::default(),
            started: now,
            linger: now,
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
    fn pair(&self, pair: u32) -> (u16, u16) {
        let ports = self.ports.len();
        let pair = pair as usize;
        let host = u16::try_from(pair / ports).unwrap_or(u16::MAX);
        (host, self.ports[pair % ports])
    }

    fn is_known_open(&self, pair: u32) -> bool {
        let (host, port) = self.pair(pair);
        self.plan.hosts[usize::from(host)]
            .known_open
            .contains(Port::tcp(port))
    }

    fn since_start(&self, at: Moment) -> Moment {
        at.saturating_sub(self.started)
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
