//! Where a message goes: which kind it is, and which of that kind's queues it waits in.

use std::fmt;
use std::str::FromStr;

use portwatch_domain::job::Priority;
use portwatch_domain::target::{TargetId, Zone};

/// A route; written as its routing key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// To the scanners of a zone: `job.<zone>.<high|normal>`.
    Job {
        /// Which scanners.
        zone: Zone,
        /// Which of the zone's two queues.
        priority: Priority,
    },
    /// To the differ that has this shard of the targets: `snapshot.<shard>`.
    Snapshot {
        /// From 0; see [`snapshot_shard`].
        shard: u16,
    },
    /// To the notifiers: `change`.
    Change,
    /// To the schedulers: `progress`. What goes here is worth little, and the next replaces it: it is dropped
    /// where anything else would wait, be tried again, or go to the dead.
    Progress,
}

/// The route of a target's snapshots, so that all of them meet in one queue. `shards` is how many
/// there are, the same for everybody.
pub fn snapshot_shard(target: TargetId, shards: u16) -> Route {
    // Ids are hashes or random numbers, so their last bits are as good as a hash of them.
    let shard = target.0.as_u128() % u128::from(shards.max(1));
    Route::Snapshot {
        shard: u16::try_from(shard).unwrap_or_default(),
    }
}

impl Route {
    /// The name of the route's queue.
    pub fn queue(&self) -> String {
        format!("pw.{self}")
    }

    /// The zone of a job's route.
    pub(crate) const fn zone(&self) -> Option<&Zone> {
        match self {
            Self::Job { zone, .. } => Some(zone),
            Self::Snapshot { .. } | Self::Change | Self::Progress => None,
        }
    }

    /// True if its messages are dropped rather than kept: a full queue loses its oldest, and what cannot be
    /// handled is gone.
    pub(crate) const fn is_fleeting(&self) -> bool {
        matches!(self, Self::Progress)
    }

    /// True if neither goes before the other.
    const fn is_equal_in_rank(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Job { priority: mine, .. }, Self::Job { priority: its, .. }) => {
                matches!(
                    (mine, its),
                    (Priority::High, Priority::High) | (Priority::Normal, Priority::Normal)
                )
            }
            (Self::Snapshot { .. }, Self::Snapshot { .. })
            | (Self::Change, Self::Change)
            | (Self::Progress, Self::Progress) => true,
            _ => false,
        }
    }

    /// For each route its rank: that of the first route of its kind.
    pub(crate) fn ranks(routes: &[Self]) -> Vec<usize> {
        let first_of_kind = |route: &Self| {
            routes
                .iter()
                .position(|other| other.is_equal_in_rank(route))
        };
        routes
            .iter()
            .map(|route| first_of_kind(route).unwrap_or_default())
            .collect()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job { zone, priority } => write!(f, "job.{zone}.{priority}"),
            Self::Snapshot { shard } => write!(f, "snapshot.{shard}"),
            Self::Change => f.write_str("change"),
            Self::Progress => f.write_str("progress"),
        }
    }
}

/// Not a routing key of ours.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not a route: use job.<zone>.high, job.<zone>.normal, snapshot.<number>, change or progress"
)]
pub struct RouteError(String);

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = key.split('.').collect();
        let route = match parts.as_slice() {
            ["job", zone, priority] => zone
                .parse()
                .ok()
                .zip(priority.parse().ok())
                .map(|(zone, priority)| Self::Job { zone, priority }),
            ["snapshot", shard] => shard.parse().ok().map(|shard| Self::Snapshot { shard }),
            ["change"] => Some(Self::Change),
            ["progress"] => Some(Self::Progress),
            _ => None,
        };
        // A number has more than one spelling; a key has one.
        route
            .filter(|route| route.to_string() == key)
            .ok_or_else(|| RouteError(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn keys_round_trip_and_name_queues() {
        for key in [
            "job.default.high",
            "job.dmz-2.normal",
            "snapshot.0",
            "snapshot.65535",
            "change",
            "progress",
        ] {
            let route: Route = key.parse().unwrap();
            assert_eq!(route.to_string(), key);
            assert_eq!(route.queue(), format!("pw.{key}"));
        }
    }

    #[test]
    fn other_keys_are_refused() {
        for key in [
            "",
            "job",
            "job.default",
            "job.default.low",
            "job.Default.high",
            "job.a.b.high",
            "snapshot.-1",
            "snapshot.007",
            "snapshot.65536",
            "change.1",
            "progress.1",
        ] {
            assert_eq!(key.parse::<Route>(), Err(RouteError(key.to_owned())));
        }
    }

    #[test]
    fn shards_are_in_range_and_spread() {
        let shards = 4;
        let mut hits = [0_u32; 4];
        for n in 0..400 {
            let target = TargetId::derive("test", &n.to_string());
            match snapshot_shard(target, shards) {
                Route::Snapshot { shard } => hits[usize::from(shard)] += 1,
                other => panic!("{other}"),
            }
            assert_eq!(
                snapshot_shard(target, 0),
                Route::Snapshot { shard: 0 },
                "no shards at all counts as one"
            );
        }
        assert!(hits.iter().all(|hit| (60..140).contains(hit)), "{hits:?}");
    }

    #[test]
    fn ranks_follow_the_order_of_kinds() {
        let routes: Vec<Route> = [
            "job.a.high",
            "job.b.high",
            "job.a.normal",
            "snapshot.0",
            "job.b.normal",
            "snapshot.1",
        ]
        .map(|key| key.parse().unwrap())
        .to_vec();
        assert_eq!(Route::ranks(&routes), [0, 0, 2, 3, 2, 3]);
    }
}
