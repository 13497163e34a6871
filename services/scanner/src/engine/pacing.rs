//! The rates of the whole process: in total, per network and per host, shared by all scans that run at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;

use super::Moment;
use super::bucket::{Bucket, Pace};
use super::witnesses::Witnesses;

/// Above so many remembered hosts, those that are idle are forgotten.
const REMEMBERED: usize = 8192;

/// The most probes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// By all scans of the process together.
    pub total: NonZeroU32,
    /// To one network: an IPv4 /24 or an IPv6 /64.
    pub network: NonZeroU32,
    /// To one host.
    pub host: NonZeroU32,
}

/// Why a probe has to wait, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Everything waits.
    All(Moment),
    /// This host or its network waits; others may go.
    Host(Moment),
}

/// What the scans of a process share: the buckets behind [`Rates`], and which networks answer. Every scan must use
/// the same one, with the same clock.
#[derive(Debug)]
pub struct Pacer {
    buckets: Mutex<Buckets>,
    witnesses: Witnesses,
}

#[derive(Debug)]
struct Buckets {
    total: Bucket,
    networks: Level,
    hosts: Level,
}

/// Where the buckets of a host are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    network: u32,
    host: u32,
}

impl Seat {
    /// Which of all networks it is in: a small number.
    pub(crate) fn network(self) -> usize {
        self.network as usize
    }
}

/// The buckets, while nobody else can take from them.
pub(crate) struct Gate<'a>(MutexGuard<'a, Buckets>);

impl Pacer {
    /// Full buckets.
    pub fn new(rates: Rates) -> Self {
        let buckets = Buckets {
            total: Bucket::new(rates.total.get()),
            networks: Level::new(rates.network),
            hosts: Level::new(rates.host),
        };
        Self {
            buckets: Mutex::new(buckets),
            witnesses: Witnesses::default(),
        }
    }

    /// Which networks answered, and when.
    pub(crate) fn witnesses(&self) -> &Witnesses {
        &self.witnesses
    }

    /// Finds the buckets of these hosts, once for a whole scan. They stay until [`Self::leave`].
    pub(crate) fn enter(&self, hosts: impl Iterator<Item = IpAddr>) -> Vec<Seat> {
        let mut buckets = self.lock();
        hosts
            .map(|host| Seat {
                network: buckets.0.networks.enter(network_of(host)),
                host: buckets.0.hosts.enter(host),
            })
            .collect()
    }

    /// These hosts are not scanned any more.
    pub(crate) fn leave(&self, now: Moment, seats: &[Seat]) {
        let mut buckets = self.lock();
        for seat in seats {
            buckets.0.networks.leave(seat.network);
            buckets.0.hosts.leave(seat.host);
        }
        buckets.0.networks.forget_idle(now);
        buckets.0.hosts.forget_idle(now);
    }

    /// Keeps the buckets to oneself for a moment.
    pub(crate) fn lock(&self) -> Gate<'_> {
        Gate(self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the token of one probe to `host` from all three buckets, or from none.
    pub(crate) fn take(&self, now: Moment, host: IpAddr) -> Result<(), Wait> {
        let seats = self.enter(std::iter::once(host));
        let taken = seats
            .first()
            .map_or(Ok(()), |&seat| self.lock().take(now, seat));
        self.leave(now, &seats);
        taken
    }
}

impl Gate<'_> {
    /// Takes the token of one probe from all three buckets, or from none.
    pub(crate) fn take(&mut self, now: Moment, seat: Seat) -> Result<(), Wait> {
        let Buckets {
            total,
            networks,
            hosts,
        } = &mut *self.0;
        let total_next = total.next(now);
        if total_next > now {
            return Err(Wait::All(total_next));
        }
        let next = networks
            .next(now, seat.network)
            .max(hosts.next(now, seat.host));
        if next > now {
            return Err(Wait::Host(next));
        }
        total.take(now);
        networks.take(now, seat.network);
        hosts.take(now, seat.host);
        Ok(())
    }
}

/// The buckets of all networks, or of all hosts.
#[derive(Debug)]
struct Level {
    pace: Pace,
    /// When each bucket lets the next probe pass without having to lend it, and who uses it.
    cells: Vec<Cell>,
    places: HashMap<IpAddr, u32, FixedState>,
    free: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    due: Moment,
    users: u32,
}

impl Level {
    fn new(rate: NonZeroU32) -> Self {
        Self {
            pace: Pace::new(rate.get()),
            cells: Vec::new(),
            places: HashMap::default(),
            free: Vec::new(),
        }
    }

    fn enter(&mut self, address: IpAddr) -> u32 {
        let (cells, free) = (&mut self.cells, &mut self.free);
        let place = *self.places.entry(address).or_insert_with(|| {
            let cell = Cell {
                due: Moment::ZERO,
                users: 0,
            };
            free.pop()
                .inspect(|&place| cells[place as usize] = cell)
                .unwrap_or_else(|| {
                    cells.push(cell);
                    u32::try_from(cells.len() - 1).unwrap_or(u32::MAX)
                })
        });
        self.cells[place as usize].users += 1;
        place
    }

    fn leave(&mut self, place: u32) {
        self.cells[place as usize].users -= 1;
    }

    fn next(&self, now: Moment, place: u32) -> Moment {
        self.pace.next(now, self.cells[place as usize].due)
    }

    fn take(&mut self, now: Moment, place: u32) {
        let cell = &mut self.cells[place as usize];
        cell.due = self.pace.after(now, cell.due);
    }

    /// Above [`REMEMBERED`], those that nobody uses and that are full are forgotten: a new one is the same.
    fn forget_idle(&mut self, now: Moment) {
        if self.places.len() < REMEMBERED {
            return;
        }
        let (cells, free) = (&self.cells, &mut self.free);
        self.places.retain(|_, place| {
            let cell = cells[*place as usize];
            let keep = cell.users > 0 || cell.due > now;
            if !keep {
                free.push(*place);
            }
            keep
        });
        if self.places.is_empty() {
            (self.cells, self.free) = (Vec::new(), Vec::new());
        }
    }
}

/// The /24 or /64 of an address.
pub(crate) fn network_of(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(host) => Ipv4Addr::from_bits(host.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(host) => Ipv6Addr::from_bits(host.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;

    fn pacer(total: u32, network: u32, host: u32) -> Pacer {
        let [total, network, host] =
            [total, network, host].map(|rate| NonZeroU32::new(rate).unwrap());
        Pacer::new(Rates {
            total,
            network,
            host,
        })
    }

    /// How many of `tries` probes pass at one instant.
    fn passing(pacer: &Pacer, hosts: &[&str]) -> usize {
        let now = Moment::from_secs(1);
        let pass = |host: &&&str| pacer.take(now, host.parse().unwrap()).is_ok();
        hosts.iter().filter(pass).count()
    }

    #[test]
    fn each_level_holds_by_itself() {
        let same_host = ["198.18.0.1"; 9];
        let same_network = ["198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.0.4"];
        let same_prefix = ["fd00:198:18::1", "fd00:198:18::2", "fd00:198:18::3"];
        let apart = ["198.18.0.1", "198.18.1.1", "198.18.2.1", "fd00:198:18::1"];
        assert_eq!(passing(&pacer(100, 100, 100), &same_host), 1);
        assert_eq!(passing(&pacer(10_000, 10_000, 100), &same_network), 4);
        assert_eq!(passing(&pacer(10_000, 100, 100), &same_network), 1);
        assert_eq!(passing(&pacer(10_000, 100, 100), &same_prefix), 1);
        assert_eq!(passing(&pacer(10_000, 100, 100), &apart), 4);
        assert_eq!(passing(&pacer(10, 100, 100), &apart), 1);
    }

    #[test]
    fn a_refusal_takes_nothing_and_says_when() {
        let pacer = pacer(10_000, 10_000, 10);
        let now = Moment::from_secs(1);
        let host = "198.18.0.1".parse().unwrap();
        pacer.take(now, host).unwrap();
        let Err(Wait::Host(next)) = pacer.take(now, host) else {
            panic!("a second probe passed")
        };
        assert_eq!(next, now + Duration::from_nanos(100_000_001));
        pacer.take(next, host).unwrap();
    }

    #[test]
    fn idle_hosts_are_forgotten() {
        let pacer = pacer(4_000_000_000, 4_000_000_000, 10);
        for index in 0..20_000_u32 {
            let host = Ipv4Addr::from_bits(0xc612_0000 + index);
            // One a second, so that every earlier host is idle.
            pacer
                .take(Moment::from_secs(u64::from(index)), host.into())
                .unwrap();
        }
        assert!(pacer.lock().0.hosts.places.len() <= REMEMBERED);
    }
}
