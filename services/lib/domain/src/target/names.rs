//! What the names of a target resolve to, and what it means when that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Address, Target};

/// The addresses of each name that could be resolved, sorted and each once.
pub type Names = BTreeMap<String, Vec<IpAddr>>;

/// A name that resolves to other addresses than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The name.
    pub name: String,
    /// Its addresses until now, never none.
    pub before: Vec<IpAddr>,
    /// Its addresses from now on, never none.
    pub after: Vec<IpAddr>,
    /// Whose state and history go where, if the target wants them to follow its names.
    pub hosts: Vec<(IpAddr, IpAddr)>,
}

/// What is remembered from now on, and the names that moved. A name that cannot be resolved now keeps its addresses
/// in memory: it has not moved. One that the target no longer has is forgotten.
pub fn resolve(target: &Target, before: &Names, now: &Names) -> (Names, Vec<Moved>) {
    let mut after = Names::new();
    let mut moved = Vec::new();
    for name in target.names() {
        let known = before.get(name).filter(|known| !known.is_empty());
        let found = now.get(name).filter(|found| !found.is_empty());
        let Some(latest) = found.or(known) else {
            continue;
        };
        after.insert(name.to_owned(), latest.clone());
        if let Some(known) = known.filter(|&known| known != latest) {
            moved.push(Moved {
                name: name.to_owned(),
                before: known.clone(),
                after: latest.clone(),
                hosts: Vec::new(),
            });
        }
    }
    if target.follow_names {
        follow(target, before, &after, &mut moved);
    }
    (after, moved)
}

/// Pairs the addresses that a name left with those that it took, in order. An address that is still or already the
/// target's in some other way keeps what is known of it.
fn follow(target: &Target, before: &Names, after: &Names, moved: &mut [Moved]) {
    let literal = |ip: &IpAddr| {
        let mut ranges = target.addresses.iter().filter_map(Address::range);
        ranges.any(|range| range.contains(*ip))
    };
    let all = |names: &Names| -> BTreeSet<IpAddr> { names.values().flatten().copied().collect() };
    let (mut were, still) = (all(before), all(after));
    for name in moved {
        let left = name
            .before
            .iter()
            .filter(|ip| !still.contains(*ip) && !literal(ip));
        let took: Vec<IpAddr> = name
            .after
            .iter()
            .filter(|ip| !were.contains(*ip) && !literal(ip))
            .copied()
            .collect();
        name.hosts = left.copied().zip(took).collect();
        // What one name has left or taken is not another's to give or take.
        were.extend(name.hosts.iter().map(|&(_, to)| to));
    }
}
