//! What really changed and lasted, and whether it was told in time.

use std::fmt;
use std::time::Duration;

use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{HostState, PortState};

use super::super::truth::{CYCLE, FIRST_PORT, Host, Periods};
use super::{History, Judge, SHOWN};
use crate::engine::Moment;

/// What lasts no longer need not be told.
const LASTING: Duration = Duration::from_secs(CYCLE.as_secs() * 2);

/// Real changes that lasted for more than two cycles, counted from when the host could be seen.
#[derive(Debug, Default)]
pub(in super::super) struct Missed {
    pub(in super::super) real: u64,
    /// Told before the third slot after the change.
    pub(in super::super) told: u64,
    /// Told within ten minutes of the change.
    soon: u64,
    /// Not counted, because it flapped.
    flapping: u64,
    pub(super) shown: Vec<String>,
}

impl Missed {
    /// Of ten thousand, at most one was not told in time.
    pub(in super::super) const fn are_few(&self) -> bool {
        (self.real - self.told) * 10_000 <= self.real
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} real ones of more than two cycles, told within two: {} ({:.4} %), within ten minutes: {:.4} %; \
             {} more while they flap",
            self.real,
            self.told,
            share(self.told, self.real) * 100.0,
            share(self.soon, self.real) * 100.0,
            self.flapping
        )
    }
}

/// The share of a whole, which may be nothing.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// A change that lasts.
struct Lasting {
    from: Moment,
    /// When it could be seen first.
    seen: Moment,
    until: Moment,
}

/// When two whole cycles have passed.
fn deadline(from: Moment) -> Moment {
    let slots = from.as_secs().div_ceil(CYCLE.as_secs());
    Duration::from_secs((slots + 2) * CYCLE.as_secs())
}

impl Judge<'_> {
    pub(super) fn missed(&self) -> (Missed, Missed) {
        let (mut ports, mut hosts) = (Missed::default(), Missed::default());
        for host in &self.world.hosts {
            let ways = self.ways(host);
            self.outages(host, &ways, &mut hosts);
            let ways: Vec<_> = ways.into_iter().chain([&host.outages]).collect();
            for (line, number) in host.ports.iter().zip(FIRST_PORT..) {
                let port = Port::tcp(number);
                let never = History::default();
                let told = self.ports.get(&(host.ip, port)).unwrap_or(&never);
                let turns = line.turns();
                let ends = turns.iter().skip(1).map(|&(at, _)| at);
                let ends = ends.chain([Moment::MAX]);
                for (&(from, open), end) in turns.iter().zip(ends).skip(1) {
                    let is = |state| (state == PortState::Open) == open;
                    let what = || format!("{}, {port} open: {open}", host.ip);
                    if let Some(change) = self.lasting(from, end, &ways) {
                        ports.count(&change, told, is, !open, what);
                    }
                }
            }
        }
        (ports, hosts)
    }

    fn outages(&self, host: &Host, ways: &[&Periods], missed: &mut Missed) {
        let never = History::default();
        let told = self.hosts.get(&host.ip).unwrap_or(&never);
        let mut next = host.outages.iter().skip(1);
        for (from, until) in host.outages.iter() {
            let again = next.next().map_or(Moment::MAX, |(from, _)| from);
            for (from, until, state) in [
                (from, until, HostState::Down),
                (until, again, HostState::Up),
            ] {
                if let Some(change) = self.lasting(from, until, ways) {
                    let what = || format!("{} {state}", host.ip);
                    missed.count(&change, told, |told| told == state, false, what);
                }
            }
        }
    }

    /// All that can keep anybody from seeing the host, but itself.
    fn ways(&self, host: &Host) -> Vec<&Periods> {
        let neglected = self.neglected.get(&host.ip);
        self.world.ways(host).chain(neglected).collect()
    }

    /// The change that lasts from `from` to `until`, if it does for long enough from when it can be seen.
    fn lasting(&self, from: Moment, until: Moment, ways: &[&Periods]) -> Option<Lasting> {
        let mut seen = from;
        loop {
            if from < CYCLE * 3 || seen + LASTING >= until {
                return None;
            }
            if deadline(seen) + CYCLE > CYCLE * self.world.size.cycles {
                return None;
            }
            let out = ways
                .iter()
                .filter_map(|way| way.touching(seen, deadline(seen)))
                .map(|(_, end)| end)
                .max();
            match out {
                Some(end) => seen = end,
                None => return Some(Lasting { from, seen, until }),
            }
        }
    }
}

impl Missed {
    fn count<S: Copy + PartialEq + fmt::Debug>(
        &mut self,
        change: &Lasting,
        told: &History<S>,
        is: impl Fn(S) -> bool + Copy,
        at_first: bool,
        what: impl Fn() -> String,
    ) {
        let &Lasting { from, seen, until } = change;
        let end = deadline(seen);
        if told.flapped(from, end) {
            self.flapping += 1;
            return;
        }
        self.real += 1;
        self.soon += u64::from(told.told(from, seen + LASTING, is, at_first));
        if told.told(from, end, is, at_first) {
            self.told += 1;
        } else if self.shown.len() < SHOWN {
            self.shown.push(format!(
                "not told: {} from {from:?}, to be seen from {seen:?}, until {until:?}: {told:?}",
                what()
            ));
        }
    }
}
