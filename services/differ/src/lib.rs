//! Consumes snapshots. Publishes changes. Guarantees that a snapshot is applied once however often
//! it arrives, that an older one never overwrites a newer one, and that state, history and what is
//! told are saved together or not at all.

mod apply;
mod observer;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use portwatch_bus::{Bus, BusError, Consumer, Received, Route, publish_by_key};
use portwatch_domain::snapshot::Snapshot;
use portwatch_store::Store;
use portwatch_store::outbox::{Relay, Topic};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use observer::{HostSeen, Observer, Seen};
pub use settings::Settings;

/// How long messages in hand may take to finish at the end.
const GRACE: Duration = Duration::from_secs(10);

/// What the differ works with.
#[derive(Clone)]
pub struct Deps {
    /// State, history and the outbox.
    pub store: Store,
    /// Where snapshots come from and changes go.
    pub bus: Bus,
    /// How many shards the snapshots are spread over.
    pub snapshot_shards: u16,
    /// Who looks on, if anybody.
    pub observer: Option<Observer>,
}

/// Runs until the token is cancelled. Any number of differs may run at once: each shard has one
/// active consumer, and another takes over when it goes.
///
/// # Errors
/// If the bus can no longer be consumed from.
pub async fn run(
    deps: Deps,
    settings: &Settings,
    shutdown: CancellationToken,
) -> Result<(), BusError> {
    let wake = Arc::new(Notify::new());
    let bus = &deps.bus;
    let relay = Relay::new(deps.store.clone(), Topic::Change, wake.clone());
    let consumer = Consumer {
        bus: deps.bus.clone(),
        routes: (0..deps.snapshot_shards)
            .map(|shard| Route::Snapshot { shard })
            .collect(),
        concurrency: settings.concurrency,
        grace: GRACE,
    };
    let handler = |received: Received<Snapshot>| apply::apply(&deps, &wake, &shutdown, received);
    let (ended, ()) = tokio::join!(
        consumer.run(handler, shutdown.clone()),
        relay.run(
            |m| async move { publish_by_key(bus, &m.route, m.id, m.body).await },
            shutdown.clone()
        ),
    );
    ended
}
