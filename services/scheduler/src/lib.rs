//! Consumes the clock and the targets' settings. Publishes jobs. Guarantees that each slot of a
//! target becomes one run, that no target has two runs out at once, and that a job which was
//! decided is published even if this process dies in between.

mod claims;
mod housekeeping;
mod resolve;
mod settings;
mod targets;

use std::sync::Arc;

use portwatch_bus::{Bus, publish_by_key};
use portwatch_store::Store;
use portwatch_store::outbox::{Relay, Topic};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use claims::{ClaimError, Claimed, claim};
pub use settings::{GroupSettings, InvalidTarget, Settings, TargetSettings};
pub use targets::{Source, sync};

/// What the scheduler works with.
#[derive(Clone)]
pub struct Deps {
    /// Targets, slots and jobs.
    pub store: Store,
    /// Where jobs go.
    pub bus: Bus,
}

/// Runs until the token is cancelled. Any number of schedulers may run at once.
pub async fn run(deps: Deps, settings: &Settings, shutdown: CancellationToken) {
    let wake = Arc::new(Notify::new());
    let bus = &deps.bus;
    let relay = Relay::new(deps.store.clone(), Topic::Job, wake.clone());
    tokio::join!(
        relay.run(
            |m| async move { publish_by_key(bus, &m.route, m.id, m.body).await },
            shutdown.clone()
        ),
        claims::run(&deps.store, settings, &wake, &shutdown),
        housekeeping::run(&deps.store, settings, &shutdown),
    );
}
