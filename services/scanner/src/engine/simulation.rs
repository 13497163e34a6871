//! A network with its own clock and its own dice: the same seed makes the same scan.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use portwatch_packet::{Answer, Flow, Reply};

use super::Moment;
use crate::drive::Clock;
use crate::wire::{Event, Probe, Wire, WireError};

/// What a port does with a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Open,
    Closed,
    Silent,
    /// Rejected with this ICMP code by the host itself.
    Rejected(u8),
    /// Rejected with this ICMP code by a router.
    RejectedOnTheWay(u8),
    /// Open until then, closed from then on.
    OpenUntil(Moment),
    /// Closed until then, open from then on.
    ClosedUntil(Moment),
}

/// A host: some ports, and what all the others do.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) ports: HashMap<u16, Port>,
    pub(crate) otherwise: Port,
}

/// What the wire does to packets, in each direction.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    pub(crate) loss: f64,
    pub(crate) duplicated: f64,
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    /// Nothing passes in these periods.
    pub(crate) blackouts: Vec<(Moment, Moment)>,
    /// The receive queue overflows in these periods: answers are lost, and it is noticed.
    pub(crate) overflows: Vec<(Moment, Moment)>,
    /// These hosts say nothing from then on.
    pub(crate) gone: Vec<(IpAddr, Moment)>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplicated: 0.0,
            delay: Duration::from_millis(2),
            jitter: Duration::from_millis(1),
            blackouts: Vec::new(),
            overflows: Vec::new(),
            gone: Vec::new(),
        }
    }
}

/// When the simulated scan is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Time(Rc<Cell<Moment>>);

impl Clock for Time {
    fn now(&self) -> Moment {
        self.0.get()
    }
}

pub(crate) struct Network {
    pub(crate) time: Time,
    targets: HashMap<IpAddr, Target>,
    conditions: Conditions,
    dice: u64,
    coming: BinaryHeap<Reverse<(Moment, u64)>>,
    packets: HashMap<u64, Reply>,
    last_packet: u64,
    half_open: HashSet<Flow>,
    /// Everything that was sent, and when.
    pub(crate) sent: Vec<(Moment, Probe)>,
}

impl Network {
    pub(crate) fn new(targets: HashMap<IpAddr, Target>, conditions: Conditions, seed: u64) -> Self {
        Self {
            time: Time::default(),
            targets,
            conditions,
            dice: seed,
            coming: BinaryHeap::new(),
            packets: HashMap::new(),
            last_packet: 0,
            half_open: HashSet::new(),
            sent: Vec::new(),
        }
    }

    /// A number from 0 to 1.
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(((value ^ (value >> 31)) >> 32) as u32) / f64::from(u32::MAX)
    }

    /// When a packet that leaves at `at` arrives; `None` if it is lost.
    fn pass(&mut self, at: Moment) -> Option<Moment> {
        let dark = self
            .conditions
            .blackouts
            .iter()
            .any(|&(from, until)| (from..until).contains(&at));
        if self.roll() < self.conditions.loss || dark {
            return None;
        }
        Some(at + self.conditions.delay + self.conditions.jitter.mul_f64(self.roll()))
    }

    fn deliver(&mut self, at: Moment, reply: Reply) {
        let copies = 1 + u64::from(self.roll() < self.conditions.duplicated);
        for copy in 0..copies {
            self.last_packet += 1;
            self.packets.insert(self.last_packet, reply);
            let at = at + Duration::from_millis(copy * 3);
            self.coming.push(Reverse((at, self.last_packet)));
        }
    }

    fn answer(&mut self, probe: &Probe, at: Moment) {
        let destination = probe.flow.addresses.destination();
        let Some(target) = self.targets.get(&destination) else {
            return;
        };
        let gone = &self.conditions.gone;
        if gone
            .iter()
            .any(|&(host, from)| host == destination && at >= from)
        {
            return;
        }
        let port = target
            .ports
            .get(&probe.flow.ports.destination)
            .unwrap_or(&target.otherwise);
        let next = probe.sequence.wrapping_add(1);
        let rst = Answer::Rst {
            sequence: 0,
            acknowledged: next,
        };
        let unreachable = |code, reporter| Answer::Unreachable {
            reporter,
            code,
            sequence: probe.sequence,
        };
        match *port {
            Port::Silent => {}
            Port::OpenUntil(then) if at >= then => self.answer_once(probe, at, rst),
            Port::ClosedUntil(then) if at < then => self.answer_once(probe, at, rst),
            Port::Open | Port::OpenUntil(_) | Port::ClosedUntil(_) => self.accept(probe, at),
            Port::Closed => self.answer_once(probe, at, rst),
            Port::Rejected(code) => self.answer_once(probe, at, unreachable(code, destination)),
            Port::RejectedOnTheWay(code) => {
                let router = IpAddr::from([198, 18, 255, 254]);
                self.answer_once(probe, at, unreachable(code, router));
            }
        }
    }

    fn answer_once(&mut self, probe: &Probe, at: Moment, answer: Answer) {
        if let Some(arrival) = self.pass(at) {
            self.deliver(arrival, reply(probe, answer));
        }
    }

    /// A SYN-ACK, again after 1, 3 and 7 s until our kernel's RST arrives. A second SYN of the same flow in the
    /// meantime gets nothing that could be taken for an answer.
    fn accept(&mut self, probe: &Probe, at: Moment) {
        if !self.half_open.insert(probe.flow) {
            return;
        }
        let answer = Answer::SynAck {
            sequence: 1,
            acknowledged: probe.sequence.wrapping_add(1),
        };
        for again in [0, 1, 3, 7] {
            let Some(arrival) = self.pass(at + Duration::from_secs(again)) else {
                continue;
            };
            self.deliver(arrival, reply(probe, answer));
            if self.pass(arrival).is_some() {
                self.half_open.remove(&probe.flow);
                return;
            }
        }
    }

    /// Delivers a packet that the network does not make by itself.
    pub(crate) fn inject(&mut self, at: Moment, reply: Reply) {
        self.deliver(at, reply);
    }
}

fn reply(probe: &Probe, answer: Answer) -> Reply {
    Reply {
        flow: probe.flow,
        ttl: Some(60),
        answer,
    }
}

impl Wire for Network {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        let now = self.time.now();
        for probe in probes {
            self.sent.push((now, *probe));
            if let Some(arrival) = self.pass(now) {
                self.answer(probe, arrival);
            }
        }
        Ok(probes.len())
    }

    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError> {
        // A call takes its time, however little there is to do.
        let until = self.time.now() + wait.max(Duration::from_micros(20));
        let arrival = self.coming.peek().map_or(until, |&Reverse((at, _))| at);
        let now = until.min(arrival.max(self.time.now()));
        self.time.0.set(now);
        let full = self
            .conditions
            .overflows
            .iter()
            .any(|&(from, until)| (from..until).contains(&now));
        while let Some(&Reverse((at, packet))) = self.coming.peek()
            && at <= now
        {
            self.coming.pop();
            if let Some(reply) = self.packets.remove(&packet) {
                events.push(if full {
                    Event::Overflow
                } else {
                    Event::Reply(reply)
                });
            }
        }
        Ok(())
    }
}
