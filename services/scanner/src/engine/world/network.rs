//! What carries the packets: it loses, delays and repeats them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::FixedState;
use portwatch_packet::{Answer, Flow, Reply};

use super::dice::{Dice, mix, share};
use super::truth::{Does, Host, World};
use crate::engine::Moment;
use crate::wire::{Event, Probe};

/// Where the loss of a network comes from: its even numbers lose each packet alike, its odd ones lose in bursts.
const LOSS: f64 = 0.05;
/// Bursts are decided by the quarter of a second.
const SPELL: Duration = Duration::from_millis(250);
const LOSS_IN_BURST: f64 = 0.8;
const LOSS_BETWEEN: f64 = 0.005;
/// A burst begins so often, and lasts up to so many spells: 5 % of all packets are lost.
const BURST_BEGINS: f64 = 0.014;
const LONGEST_BURST: u64 = 7;

const DUPLICATED: f64 = 0.01;
/// A target gives a half-open connection up after that.
const HALF_OPEN: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Out,
    Back,
}

#[derive(Debug)]
pub(super) struct Network<'w> {
    world: &'w World,
    dice: Dice,
    /// When the connection was begun.
    half_open: HashMap<Flow, Moment, FixedState>,
    /// Packets that were sent, and those of them that were lost, either way and when no way was dark.
    pub(super) sent: u64,
    pub(super) lost: u64,
}

impl<'w> Network<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            world,
            dice: Dice::of(world.seed, 1 << 60),
            half_open: HashMap::default(),
            sent: 0,
            lost: 0,
        }
    }

    /// Takes a probe of a worker, and gives back what comes of it and when.
    pub(super) fn send(
        &mut self,
        worker: usize,
        probe: &Probe,
        now: Moment,
    ) -> Vec<(Moment, Event)> {
        let world = self.world;
        let Some(host) = world.host(probe.flow.addresses.destination()) else {
            return Vec::new();
        };
        let mut replies = Vec::new();
        if let Some(arrival) = self.pass(host, Way::Out, now)
            && !host.outages.holds(arrival)
        {
            self.answer(host, probe, arrival, &mut replies);
        }
        let heard = replies.into_iter().filter_map(|(at, reply)| {
            if world.deaf[worker].holds(at) {
                None
            } else if world.overflows[worker].holds(at) {
                Some((at, Event::Overflow))
            } else {
                Some((at, Event::Reply(reply)))
            }
        });
        heard.collect()
    }

    /// When a packet that leaves at `at` arrives; `None` if it is lost.
    fn pass(&mut self, host: &Host, way: Way, at: Moment) -> Option<Moment> {
        if self.world.dark[host.network].holds(at) {
            return None;
        }
        self.sent += 1;
        let chance = if host.network.is_multiple_of(2) {
            LOSS
        } else if self.bursts(host.network, way, at) {
            LOSS_IN_BURST
        } else {
            LOSS_BETWEEN
        };
        if self.dice.happens(chance) {
            self.lost += 1;
            return None;
        }
        let delay = Duration::from_millis(2 + 7 * host.network as u64);
        Some(at + self.dice.between(delay, delay * 3 / 2))
    }

    fn bursts(&self, network: usize, way: Way, at: Moment) -> bool {
        let now = u64::try_from(at.as_millis() / SPELL.as_millis()).unwrap_or_default();
        let place = (network as u64) << 1 | u64::from(way == Way::Out);
        (0..LONGEST_BURST).any(|ago| {
            let bits = mix(self.world.seed ^ mix(place << 40 | now.saturating_sub(ago)));
            share(bits) < BURST_BEGINS && ago <= bits % LONGEST_BURST
        })
    }

    fn answer(
        &mut self,
        host: &Host,
        probe: &Probe,
        at: Moment,
        replies: &mut Vec<(Moment, Reply)>,
    ) {
        let place = self.world.place(probe.flow.ports.destination);
        let does = place.map_or(Does::Closed, |place| host.ports[place].does(at));
        let answer = match does {
            Does::Silent => return,
            Does::Open => return self.accept(host, probe, at, replies),
            Does::Closed => Answer::Rst {
                sequence: 0,
                acknowledged: probe.sequence.wrapping_add(1),
            },
            Does::Rejected => unreachable(host.ip, probe),
            Does::Barred => unreachable(IpAddr::from([198, 18, 255, 254]), probe),
        };
        self.half_open.remove(&probe.flow);
        self.reply(host, probe, at, answer, replies);
    }

    /// Sends it back; when it arrives, if it does.
    fn reply(
        &mut self,
        host: &Host,
        probe: &Probe,
        at: Moment,
        answer: Answer,
        replies: &mut Vec<(Moment, Reply)>,
    ) -> Option<Moment> {
        let arrival = self.pass(host, Way::Back, at)?;
        let reply = Reply {
            flow: probe.flow,
            ttl: Some(60),
            answer,
        };
        replies.push((arrival, reply));
        if self.dice.happens(DUPLICATED) {
            let again = arrival + self.dice.between(Duration::ZERO, Duration::from_millis(80));
            replies.push((again, reply));
        }
        Some(arrival)
    }

    /// A SYN-ACK, again after 1, 3 and 7 s until our kernel's RST arrives, the host goes or the port is shut. A
    /// second SYN of the same flow in the meantime gets nothing that could be taken for an answer.
    fn accept(
        &mut self,
        host: &Host,
        probe: &Probe,
        at: Moment,
        replies: &mut Vec<(Moment, Reply)>,
    ) {
        let begun = self.half_open.get(&probe.flow);
        if begun.is_some_and(|&begun| at < begun + HALF_OPEN) {
            return;
        }
        self.half_open.insert(probe.flow, at);
        let answer = Answer::SynAck {
            sequence: 1,
            acknowledged: probe.sequence.wrapping_add(1),
        };
        let place = self.world.place(probe.flow.ports.destination);
        for again in [0, 1, 3, 7] {
            let at = at + Duration::from_secs(again);
            let listens = place.is_some_and(|place| host.ports[place].does(at) == Does::Open);
            if !listens || host.outages.holds(at) {
                break;
            }
            let arrival = self.reply(host, probe, at, answer, replies);
            let reset = arrival.and_then(|at| self.pass(host, Way::Out, at));
            if reset.is_some_and(|at| !host.outages.holds(at)) {
                self.half_open.remove(&probe.flow);
                break;
            }
        }
        if self.half_open.len() > 10_000 {
            self.half_open
                .retain(|_, &mut begun| at < begun + HALF_OPEN);
        }
    }
}

const fn unreachable(reporter: IpAddr, probe: &Probe) -> Answer {
    Answer::Unreachable {
        reporter,
        code: 13,
        sequence: probe.sequence,
    }
}
