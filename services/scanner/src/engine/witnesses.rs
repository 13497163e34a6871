//! When anything in a network answered: while its neighbours answer, the silence of a host is its own.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Moment;
use super::slots::SLOT;

/// So many periods are remembered of each network: those of 25 seconds at least.
const REMEMBERED: usize = 256;
/// Above so many networks, those that have not answered lately are forgotten.
const NETWORKS: usize = 4096;

/// What all scans of a process have heard, by network.
#[derive(Debug, Default)]
pub(crate) struct Witnesses(Mutex<HashMap<IpAddr, VecDeque<u64>>>);

impl Witnesses {
    /// A host of this network answered a probe that left at `left`.
    pub(crate) fn heard(&self, network: IpAddr, left: Moment) {
        let mut networks = self.lock();
        let slot = index(left);
        if networks.len() >= NETWORKS && !networks.contains_key(&network) {
            let recent = |slots: &VecDeque<u64>| {
                let last = slots.back().copied().unwrap_or(0);
                last + REMEMBERED as u64 >= slot
            };
            networks.retain(|_, slots| recent(slots));
        }
        let slots = networks.entry(network).or_default();
        let place = slots.partition_point(|&earlier| earlier < slot);
        if slots.get(place) != Some(&slot) {
            slots.insert(place, slot);
            if slots.len() > REMEMBERED {
                slots.pop_front();
            }
        }
    }

    /// Whether hosts of this network answered probes that left just before and just after `sent`.
    pub(crate) fn around(&self, network: IpAddr, sent: Moment) -> bool {
        let networks = self.lock();
        let any = |from: u64, until: u64| {
            let slots = networks.get(&network);
            slots.is_some_and(|slots| slots.iter().any(|slot| (from..=until).contains(slot)))
        };
        let slot = index(sent);
        any(slot.saturating_sub(1), slot) && any(slot, slot + 1)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, VecDeque<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn index(at: Moment) -> u64 {
    u64::try_from(at.as_millis() / SLOT.as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_the_same_network_at_the_same_time_counts() {
        let witnesses = Witnesses::default();
        let [here, there] = [[198, 18, 1, 0], [198, 18, 2, 0]].map(IpAddr::from);
        let at = Duration::from_secs(7);
        assert!(!witnesses.around(here, at));
        witnesses.heard(here, at);
        assert!(witnesses.around(here, at));
        assert!(!witnesses.around(there, at));
        assert!(!witnesses.around(here, at + SLOT), "nothing after it");
        witnesses.heard(here, at + SLOT * 2);
        assert!(witnesses.around(here, at + SLOT));
        assert!(!witnesses.around(here, at + SLOT * 4));
        for slot in 3..1000 {
            witnesses.heard(here, at + SLOT * slot);
        }
        assert!(!witnesses.around(here, at), "long ago");
    }
}
