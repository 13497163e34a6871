//! How the world really is: what each port does at each time, and when hosts, paths and workers are out.

use std::net::IpAddr;
use std::time::Duration;

use portwatch_domain::snapshot::PortState;

use super::dice::Dice;
use crate::engine::Moment;

/// The time between two slots.
pub(super) const CYCLE: Duration = Duration::from_mins(5);

/// How big the world is and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) networks: u8,
    /// In each network.
    pub(super) hosts: u8,
    pub(super) ports: u16,
    pub(super) cycles: u32,
}

/// What a port does with a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Open,
    Closed,
    Silent,
    /// The host itself says that it is administratively prohibited.
    Rejected,
    /// A router says so.
    Barred,
}

impl Does {
    pub(super) const fn state(self) -> PortState {
        match self {
            Self::Open => PortState::Open,
            Self::Closed => PortState::Closed,
            Self::Silent | Self::Rejected | Self::Barred => PortState::Filtered,
        }
    }
}

/// Some periods, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Periods(Vec<(Moment, Moment)>);

impl Periods {
    fn drawn(
        dice: &mut Dice,
        until: Moment,
        apart: Duration,
        mut length: impl FnMut(&mut Dice) -> Duration,
    ) -> Self {
        let mut periods = Vec::new();
        let mut at = CYCLE * 3 + dice.waits(apart);
        while at < until {
            let end = at + length(dice);
            periods.push((at, end));
            at = end + Duration::from_mins(1) + dice.waits(apart);
        }
        Self(periods)
    }

    pub(super) fn add(&mut self, from: Moment, until: Moment) {
        self.0.push((from, until));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Moment, Moment)> {
        self.0.iter().copied()
    }

    /// The first of them that is not over at `at`.
    fn next(&self, at: Moment) -> Option<(Moment, Moment)> {
        let next = self.0.partition_point(|&(_, end)| end <= at);
        self.0.get(next).copied()
    }

    pub(super) fn holds(&self, at: Moment) -> bool {
        self.next(at).is_some_and(|(from, _)| from <= at)
    }

    /// The first of them that touches `from` to `until`.
    pub(super) fn touching(&self, from: Moment, until: Moment) -> Option<(Moment, Moment)> {
        self.next(from).filter(|&(begins, _)| begins <= until)
    }

    /// Whether one of them holds from `from` to `until`.
    pub(super) fn whole(&self, from: Moment, until: Moment) -> bool {
        let next = self.next(from);
        next.is_some_and(|(begins, ends)| begins <= from && ends >= until)
    }
}

/// What a port does, and from when on.
#[derive(Clone, Debug)]
pub(super) struct Line(Vec<(Moment, Does)>);

impl Line {
    fn place(&self, at: Moment) -> usize {
        self.0
            .partition_point(|&(from, _)| from <= at)
            .saturating_sub(1)
    }

    pub(super) fn does(&self, at: Moment) -> Does {
        self.0[self.place(at)].1
    }

    /// Whether it was in this state at any time from `from` to `until`.
    pub(super) fn was(&self, state: PortState, from: Moment, until: Moment) -> bool {
        self.0[self.place(from)..]
            .iter()
            .take_while(|&&(begins, _)| begins <= until)
            .any(|(_, does)| does.state() == state)
    }

    /// From when on it is open or not, and which.
    pub(super) fn turns(&self) -> Vec<(Moment, bool)> {
        let open = |&(at, does): &(Moment, Does)| (at, does == Does::Open);
        let mut turns: Vec<_> = self.0.iter().map(open).collect();
        turns.dedup_by_key(|&mut (_, open)| open);
        turns
    }

    /// How often it changed between open and not from `from` to `until`.
    pub(super) fn turns_between(&self, from: Moment, until: Moment) -> usize {
        let between = |&&(at, _): &&(Moment, bool)| at >= from && at <= until;
        self.turns().iter().skip(1).filter(between).count()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) ip: IpAddr,
    pub(super) network: usize,
    /// By place of the port.
    pub(super) ports: Vec<Line>,
    /// When it neither hears nor says anything.
    pub(super) outages: Periods,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) size: Size,
    pub(super) hosts: Vec<Host>,
    /// By network: when nothing passes.
    pub(super) dark: Vec<Periods>,
    /// By worker: when it hears nothing and does not know.
    pub(super) deaf: Vec<Periods>,
    /// By worker: when its receive queue overflows.
    pub(super) overflows: Vec<Periods>,
}

/// The number of the first port.
pub(super) const FIRST_PORT: u16 = 1000;
/// These ports of every host are always open.
const ALWAYS_OPEN: u16 = 2;

const SECOND: Duration = Duration::from_secs(1);

impl World {
    pub(super) fn new(seed: u64, size: Size, workers: usize) -> Self {
        let until = CYCLE * size.cycles;
        let dice = |kind: u64, number: usize| Dice::of(seed, kind << 32 | number as u64);
        let periods = |kind, number, apart, least, most| {
            let length = |dice: &mut Dice| {
                // As many short ones as long ones.
                let share = dice.roll();
                dice.between(least, most).mul_f64(share * share).max(least)
            };
            Periods::drawn(&mut dice(kind, number), until, CYCLE * apart, length)
        };
        let workers = || 0..workers;
        let hosts = (0..usize::from(size.networks) * usize::from(size.hosts)).map(|number| Host {
            ip: address(number, size),
            network: number / usize::from(size.hosts),
            ports: lines(&mut dice(1, number), size),
            outages: periods(2, number, 150, SECOND * 5, CYCLE * 12),
        });
        let dark = |number| periods(3, number, 60, SECOND, CYCLE * 4);
        Self {
            seed,
            size,
            hosts: hosts.collect(),
            dark: (0..usize::from(size.networks)).map(dark).collect(),
            deaf: workers()
                .map(|number| periods(4, number, 50, SECOND, CYCLE))
                .collect(),
            overflows: workers()
                .map(|number| periods(5, number, 20, SECOND / 5, SECOND * 20))
                .collect(),
        }
    }

    /// The host with this address.
    pub(super) fn host(&self, ip: IpAddr) -> Option<&Host> {
        let IpAddr::V4(v4) = ip else { return None };
        let [.., network, host] = v4.octets();
        let number = usize::from(network) * usize::from(self.size.hosts) + usize::from(host);
        self.hosts
            .get(number.checked_sub(1)?)
            .filter(|host| host.ip == ip)
    }

    /// The place of a port among those of a host.
    pub(super) fn place(&self, port: u16) -> Option<usize> {
        let place = port.checked_sub(FIRST_PORT)?;
        (place < self.size.ports).then_some(usize::from(place))
    }

    /// What is known to be out, of what lies between a host and whoever asks it.
    pub(super) fn ways<'a>(&'a self, host: &Host) -> impl Iterator<Item = &'a Periods> {
        let workers = self.deaf.iter().chain(&self.overflows);
        [&self.dark[host.network]].into_iter().chain(workers)
    }
}

fn address(number: usize, size: Size) -> IpAddr {
    let part = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
    let hosts = usize::from(size.hosts);
    IpAddr::from([198, 18, part(number / hosts), part(number % hosts + 1)])
}

fn lines(dice: &mut Dice, size: Size) -> Vec<Line> {
    let otherwise = if dice.happens(0.2) {
        Does::Silent
    } else {
        Does::Closed
    };
    let until = CYCLE * size.cycles;
    (0..size.ports)
        .map(|place| match dice.roll() {
            _ if place < ALWAYS_OPEN => Line(vec![(Moment::ZERO, Does::Open)]),
            roll if roll < 0.10 => Line(vec![(Moment::ZERO, Does::Open)]),
            roll if roll < 0.14 => Line(vec![(Moment::ZERO, Does::Silent)]),
            roll if roll < 0.16 => Line(vec![(Moment::ZERO, Does::Rejected)]),
            roll if roll < 0.50 => living(dice, until),
            roll if roll < 0.52 => flapping(dice, until),
            _ => Line(vec![(Moment::ZERO, otherwise)]),
        })
        .collect()
}

fn shut(dice: &mut Dice) -> Does {
    let kinds = [
        Does::Closed,
        Does::Closed,
        Does::Closed,
        Does::Silent,
        Does::Rejected,
        Does::Barred,
    ];
    kinds[dice.one_of(kinds.len())]
}

/// What is open and shut in turns.
fn in_turns(dice: &mut Dice, until: Moment, mut stays: impl FnMut(&mut Dice) -> Duration) -> Line {
    let mut line = Vec::new();
    let mut open = dice.happens(0.5);
    let mut at = Moment::ZERO;
    while at < until {
        let does = if open { Does::Open } else { shut(dice) };
        line.push((at, does));
        at += stays(dice);
        open = !open;
    }
    Line(line)
}

/// Most states last for hours, some for minutes, and some for seconds, as a service's that restarts.
fn living(dice: &mut Dice, until: Moment) -> Line {
    in_turns(dice, until, |dice| match dice.roll() {
        roll if roll < 0.05 => dice.between(SECOND / 5, SECOND * 5),
        roll if roll < 0.15 => dice.between(SECOND * 5, CYCLE * 2),
        _ => CYCLE * 2 + dice.waits(CYCLE * 40),
    })
}

/// Long quiet, then half a day of changes.
fn flapping(dice: &mut Dice, until: Moment) -> Line {
    let mut left = 0;
    in_turns(dice, until, move |dice| {
        if left == 0 {
            left = 40;
            return CYCLE * 60 + dice.waits(CYCLE * 100);
        }
        left -= 1;
        dice.between(CYCLE / 2, CYCLE * 3 / 2)
    })
}
