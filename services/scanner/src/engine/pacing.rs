//! The rates of the whole process: in total, per network and per host, shared by all scans that run at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use super::Moment;
use super::bucket::Bucket;

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

/// The buckets behind [`Rates`]. Every scan of the process must use the same one, with the same clock.
#[derive(Debug)]
pub struct Pacer {
    rates: Rates,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    total: Bucket,
    networks: HashMap<IpAddr, Bucket>,
    hosts: HashMap<IpAddr, Bucket>,
}

impl Pacer {
    /// Full buckets.
    pub fn new(rates: Rates) -> Self {
        let buckets = Buckets {
            total: Bucket::new(rates.total.get()),
            networks: HashMap::new(),
            hosts: HashMap::new(),
        };
        Self {
            rates,
            buckets: Mutex::new(buckets),
        }
    }

    /// Takes the token of one probe to `host` from all three buckets, or from none.
    pub(crate) fn take(&self, now: Moment, host: IpAddr) -> Result<(), Wait> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets {
            total,
            networks,
            hosts,
        } = &mut *buckets;
        let total_next = total.next(now);
        if total_next > now {
            return Err(Wait::All(total_next));
        }
        let network = bucket(networks, network_of(host), self.rates.network, now);
        let host = bucket(hosts, host, self.rates.host, now);
        let next = network.next(now).max(host.next(now));
        if next > now {
            return Err(Wait::Host(next));
        }
        total.take(now);
        network.take(now);
        host.take(now);
        Ok(())
    }
}

fn bucket<K: Hash + Eq>(
    buckets: &mut HashMap<K, Bucket>,
    key: K,
    rate: NonZeroU32,
    now: Moment,
) -> &mut Bucket {
    if buckets.len() >= REMEMBERED && !buckets.contains_key(&key) {
        buckets.retain(|_, bucket| !bucket.is_full(now));
    }
    buckets
        .entry(key)
        .or_insert_with(|| Bucket::new(rate.get()))
}

/// The /24 or /64 of an address.
fn network_of(host: IpAddr) -> IpAddr {
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
        assert_eq!(passing(&pacer(100, 100, 100), &apart), 1);
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
        assert!(pacer.buckets.lock().unwrap().hosts.len() <= REMEMBERED);
    }
}
