//! Random scans with random exclusions, over a network that looks at every packet.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::target::IpRange;
use portwatch_packet::{Addresses, Answer, Key, Reply};

use crate::drive::{Clock, drive};
use crate::engine::{Engine, Moment, Pacer, Plan, PlannedHost, Rates, Secrets};
use crate::exclude::Exclusions;
use crate::wire::{Event, Probe, Wire, WireError};

/// How many packets leave at least.
const SENDS: u64 = 100_000;
/// Another number, for longer runs.
const SENDS_VARIABLE: &str = "PORTWATCH_TEST_SENDS";
/// How long every answer takes.
const DELAY: Duration = Duration::from_millis(1);
/// A scan that takes longer is left as it is: what it sends counts, not what it says.
const PATIENCE: Moment = Moment::from_mins(2);

/// `SplitMix64` (Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % below
    }

    /// An address among 4,096 neighbours, of which plans and exclusions meet often.
    fn address(&mut self) -> IpAddr {
        let number = u16::try_from(self.roll(0x1000)).unwrap();
        if self.roll(2) == 0 {
            let [high, low] = number.to_be_bytes();
            Ipv4Addr::new(198, 18, high, low).into()
        } else {
            Ipv6Addr::new(0xfd00, 0x198, 0x18, 0, 0, 0, 0, number).into()
        }
    }

    /// A range from one address to at most 255 after it.
    fn range(&mut self) -> IpRange {
        let first = self.address();
        let length = self.roll(256).min(self.roll(256));
        let last = match first {
            IpAddr::V4(ip) => {
                Ipv4Addr::from_bits(ip.to_bits() + u32::try_from(length).unwrap()).into()
            }
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() + u128::from(length)).into(),
        };
        IpRange::new(first, last).unwrap()
    }

    fn ports(&mut self) -> PortSet {
        let first = 1 + u16::try_from(self.roll(60_000)).unwrap();
        let count = 1 + u16::try_from(self.roll(60)).unwrap();
        (first..first + count).map(Port::tcp).collect()
    }

    fn plan(&mut self) -> Plan {
        let ports = self.ports();
        let mut destinations: Vec<IpAddr> = (0..=self.roll(600)).map(|_| self.address()).collect();
        destinations.sort_unstable();
        destinations.dedup();
        let hosts = destinations.into_iter().map(|destination| PlannedHost {
            addresses: towards(destination),
            known_open: ports.iter().filter(|_| self.roll(20) == 0).collect(),
        });
        let hosts = hosts.collect();
        let mut key = || {
            let halves = [(); 2].map(|()| self.roll(u64::MAX).to_le_bytes());
            Key::new(halves.concat().try_into().unwrap())
        };
        Plan {
            hosts,
            rate: 10_000_000,
            window: None,
            attempts: u8::MAX,
            deadline: PATIENCE,
            max_open_ports: 20,
            first_source_port: 40_000,
            secrets: Secrets {
                sweep: key(),
                verify: key(),
                order: self.roll(u64::MAX),
            },
            ports,
        }
    }
}

fn towards(destination: IpAddr) -> Addresses {
    let us = match destination {
        IpAddr::V4(_) => Ipv4Addr::new(198, 18, 255, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0xfd00, 0x198, 0x18, 0, 0, 0, 0, 0xff01).into(),
    };
    Addresses::new(us, destination).unwrap()
}

#[derive(Clone, Default)]
struct Time(Rc<Cell<Moment>>);

impl Clock for Time {
    fn now(&self) -> Moment {
        self.0.get()
    }
}

/// Every port does as dice say; now and then it takes few packets, gives one back, or says that a host is
/// elsewhere, even where it is excluded.
struct Network<'a> {
    time: Time,
    dice: Dice,
    forbidden: &'a [IpRange],
    coming: VecDeque<(Moment, Event)>,
    sent: u64,
    trespasses: u64,
}

impl Network<'_> {
    fn look(&mut self, probe: &Probe) {
        self.sent += 1;
        let destination = probe.flow.addresses.destination();
        let is_forbidden = |range: &IpRange| range.contains(destination);
        self.trespasses += u64::from(self.forbidden.iter().any(is_forbidden));
    }

    fn answer(&mut self, probe: &Probe) -> Option<Event> {
        let acknowledged = probe.sequence.wrapping_add(1);
        let answer = match self.dice.roll(100) {
            0..3 => return None,
            3..8 => Answer::SynAck {
                sequence: 1,
                acknowledged,
            },
            8..10 => Answer::Unreachable {
                reporter: self.dice.address(),
                code: 1,
                sequence: probe.sequence,
            },
            10 => return Some(Event::Unsent(*probe)),
            11 => {
                return Some(Event::Source {
                    host: probe.host,
                    addresses: towards(self.elsewhere(probe)),
                });
            }
            _ => Answer::Rst {
                sequence: 0,
                acknowledged,
            },
        };
        let (flow, ttl) = (probe.flow, Some(60));
        Some(Event::Reply(Reply { flow, ttl, answer }))
    }

    /// Where a host is said to be: mostly where it was, else at the first address of an exclusion.
    fn elsewhere(&mut self, probe: &Probe) -> IpAddr {
        let range = usize::try_from(self.dice.roll(100)).unwrap();
        let moved = self.forbidden.get(range).map(IpRange::first);
        moved.unwrap_or_else(|| probe.flow.addresses.destination())
    }
}

impl Wire for Network<'_> {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        let most = match self.dice.roll(50) {
            0 => probes.len() / 2,
            _ => probes.len(),
        };
        let at = self.time.now() + DELAY;
        for probe in &probes[..most] {
            self.look(probe);
            if let Some(event) = self.answer(probe) {
                self.coming.push_back((at, event));
            }
        }
        Ok(most)
    }

    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError> {
        let mut now = self.time.now() + wait.max(Duration::from_micros(20));
        if let Some((at, _)) = self.coming.front() {
            now = now.min((*at).max(self.time.now()));
        }
        self.time.0.set(now);
        while self.coming.front().is_some_and(|(at, _)| *at <= now) {
            events.extend(self.coming.pop_front().map(|(_, event)| event));
        }
        Ok(())
    }
}

/// Scans what a seed says, with as many exclusions; how many packets left, and how many of them should not have.
fn scan(seed: u64, is_obeyed: bool) -> [u64; 2] {
    let mut dice = Dice(seed);
    let forbidden: Vec<IpRange> = (0..=dice.roll(12)).map(|_| dice.range()).collect();
    let time = Time::default();
    let pps = NonZeroU32::new(10_000_000).unwrap();
    let rates = Rates {
        total: pps,
        network: pps,
        host: pps,
    };
    let mut engine = Engine::new(dice.plan(), Arc::new(Pacer::new(rates)), time.now());
    let mut network = Network {
        time: time.clone(),
        dice,
        forbidden: &forbidden,
        coming: VecDeque::new(),
        sent: 0,
        trespasses: 0,
    };
    let exclusions = if is_obeyed {
        Exclusions::new(&forbidden)
    } else {
        Exclusions::default()
    };
    let mut watch = |_| {
        if time.now() < PATIENCE {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    drive(&mut engine, &mut network, &time, &exclusions, &mut watch).unwrap();
    [network.sent, network.trespasses]
}

#[test]
fn no_packet_goes_to_what_is_excluded() {
    let wanted = std::env::var(SENDS_VARIABLE).map_or(SENDS, |sends| sends.parse().unwrap());
    let [mut sent, mut seed] = [0, 0];
    while sent < wanted {
        let [more, trespasses] = scan(seed, true);
        assert_eq!(trespasses, 0, "of {more} packets, with seed {seed}");
        sent += more;
        seed += 1;
        assert!(seed < 1000 || sent > seed, "the scans send nothing");
    }
    println!("{sent} packets in {seed} scans");
}

#[test]
fn packets_to_what_is_excluded_would_be_seen() {
    let trespasses: u64 = (0..20).map(|seed| scan(seed, false)[1]).sum();
    assert!(trespasses > 100, "{trespasses}");
}
