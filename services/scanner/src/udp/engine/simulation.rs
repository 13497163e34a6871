//! A network with its own clock and its own dice: the same seed makes the same scan.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use crate::drive::{Carrier, Clock};
use crate::engine::Moment;
use crate::udp::wire::{Event, Probe, Rejection};
use crate::wire::WireError;

/// Somebody on the way.
pub(super) const ROUTER: [u8; 4] = [198, 18, 255, 254];

/// What a port does with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Repeats what it got: its own answer to DNS, an echo to everything else.
    Answers,
    /// Answers from an old or forged transmission: the id is not ours.
    AnswersOthers,
    Closed,
    Silent,
    /// Rejected with this ICMP type and code by a router.
    Rejected(u8, u8),
    /// Rejected by the host's own firewall.
    RejectedByItself(u8, u8),
    /// Silent until then, rejected by a router with this ICMP type and code from then on.
    RejectedFrom(Moment, u8, u8),
    /// Closed until then, answers from then on.
    ClosedUntil(Moment),
}

/// How a host limits its ICMP errors: so many at once, and one more in each of these times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) burst: u32,
    pub(super) every: Duration,
}

/// A host: some ports, what all others do, and its limit.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) ports: HashMap<u16, Does>,
    pub(super) otherwise: Does,
    pub(super) limit: Option<Limit>,
}

/// When the simulated scan is.
#[derive(Clone, Debug, Default)]
pub(super) struct Time(Rc<Cell<Moment>>);

impl Clock for Time {
    fn now(&self) -> Moment {
        self.0.get()
    }
}

pub(super) struct Network {
    pub(super) time: Time,
    targets: HashMap<IpAddr, Target>,
    /// Of each host: the tokens of its bucket, and when they were counted.
    buckets: HashMap<IpAddr, (f64, Moment)>,
    loss: f64,
    pub(super) delay: Duration,
    dice: u64,
    coming: BinaryHeap<Reverse<(Moment, u64)>>,
    packets: HashMap<u64, Event>,
    last: u64,
    /// Everything that was sent, and when.
    pub(super) sent: Vec<(Moment, Probe)>,
}

impl Network {
    pub(super) fn new(targets: HashMap<IpAddr, Target>, loss: f64, seed: u64) -> Self {
        Self {
            time: Time::default(),
            targets,
            buckets: HashMap::new(),
            loss,
            delay: Duration::from_millis(2),
            dice: seed,
            coming: BinaryHeap::new(),
            packets: HashMap::new(),
            last: 0,
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
        let lost = self.roll() < self.loss;
        let jitter = self.delay.mul_f64(self.roll() / 4.0);
        (!lost).then_some(at + self.delay + jitter)
    }

    /// Whether the host may send an error now.
    fn may_reject(&mut self, host: IpAddr, at: Moment) -> bool {
        let Some(limit) = self.targets.get(&host).and_then(|target| target.limit) else {
            return true;
        };
        let full = (f64::from(limit.burst), at);
        let (tokens, counted) = self.buckets.entry(host).or_insert(full);
        let gained = at.saturating_sub(*counted).div_duration_f64(limit.every);
        *tokens = (*tokens + gained).min(f64::from(limit.burst));
        *counted = at;
        let may = *tokens >= 1.0;
        if may {
            *tokens -= 1.0;
        }
        may
    }

    pub(super) fn inject(&mut self, at: Moment, event: Event) {
        self.last += 1;
        self.packets.insert(self.last, event);
        self.coming.push(Reverse((at, self.last)));
    }

    fn arrived(&mut self, probe: &Probe, at: Moment) {
        let Some(target) = self.targets.get(&probe.to.ip()) else {
            return;
        };
        let port = probe.to.port();
        let does = *target.ports.get(&port).unwrap_or(&target.otherwise);
        let no_port = if probe.to.is_ipv4() { (3, 3) } else { (1, 4) };
        let (by, (kind, code)) = match does {
            Does::Silent => return,
            Does::RejectedFrom(then, ..) if at < then => return,
            Does::ClosedUntil(then) if at >= then => return self.answer(probe, at, false),
            Does::Answers => return self.answer(probe, at, false),
            Does::AnswersOthers => return self.answer(probe, at, true),
            Does::Closed | Does::ClosedUntil(_) => (probe.to.ip(), no_port),
            Does::Rejected(kind, code) | Does::RejectedFrom(_, kind, code) => {
                (ROUTER.into(), (kind, code))
            }
            Does::RejectedByItself(kind, code) => (probe.to.ip(), (kind, code)),
        };
        if self.may_reject(probe.to.ip(), at)
            && let Some(arrival) = self.pass(at)
        {
            let rejection = Rejection {
                to: probe.to,
                lane: probe.lane,
                by,
                kind,
                code,
                ttl: Some(60),
                quoted: probe.payload.clone(),
            };
            self.inject(arrival, Event::Rejected(rejection));
        }
    }

    fn answer(&mut self, probe: &Probe, at: Moment, wrong: bool) {
        let mut payload = probe.payload.clone();
        // A DNS response, as far as anybody looks.
        if payload.len() > 2 {
            payload[2] |= 0x80;
            payload[0] ^= u8::from(wrong);
        }
        if let Some(arrival) = self.pass(at) {
            let event = Event::Reply {
                from: probe.to,
                lane: probe.lane,
                ttl: Some(60),
                payload,
            };
            self.inject(arrival, event);
        }
    }
}

impl Carrier<Probe, Event> for Network {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        let now = self.time.now();
        for probe in probes {
            self.sent.push((now, probe.clone()));
            if let Some(arrival) = self.pass(now) {
                self.arrived(probe, arrival);
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
        while let Some(&Reverse((at, packet))) = self.coming.peek()
            && at <= now
        {
            self.coming.pop();
            events.extend(self.packets.remove(&packet));
        }
        Ok(())
    }
}

/// The address of a port of the target.
pub(super) fn address(ip: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}
