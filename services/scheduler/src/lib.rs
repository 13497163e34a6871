//! Consumes the clock, the targets' settings, Roxy-WI's servers, and the progress of jobs. Publishes jobs, and changes of
//! targets and zones as a whole. Guarantees that each slot of a target becomes one run, that no target has two runs of
//! its schedule out at once, and that what was decided is published even if this process dies in between.

mod changes;
mod claims;
mod housekeeping;
mod plan;
mod progress;
mod requests;
mod resolve;
pub mod roxy_wi;
mod settings;
mod targets;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use portwatch_bus::{Bus, Consumer, Route, publish_by_key};
use portwatch_store::Store;
use portwatch_store::outbox::{Relay, Topic};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use claims::{ClaimError, Claimed, claim};
pub use roxy_wi::RoxyWi;
pub use settings::{GroupSettings, InvalidTarget, Settings, TargetSettings};
pub use targets::{Source, sync};

/// How many reports of progress are noted at once.
const REPORTS_AT_ONCE: u16 = 2;

/// How long a report in hand may take at the end.
const GRACE: Duration = Duration::from_secs(1);

/// What the scheduler works with.
#[derive(Clone)]
pub struct Deps {
    /// Targets, slots and jobs.
    pub store: Store,
    /// Where jobs go.
    pub bus: Bus,
    /// Where more targets come from, if anywhere.
    pub roxy_wi: Option<Arc<RoxyWi>>,
}

/// Runs until the token is cancelled. Any number of schedulers may run at once.
pub async fn run(deps: Deps, settings: &Settings, shutdown: CancellationToken) {
    let (wake, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (store, bus) = (&deps.store, &deps.bus);
    let relay = |topic, wake: &Arc<Notify>| {
        Relay::new(store.clone(), topic, wake.clone()).run(
            |m| async move { publish_by_key(bus, &m.route, m.id, m.body).await },
            shutdown.clone(),
        )
    };
    let reports = Consumer {
        bus: bus.clone(),
        routes: vec![Route::Progress],
        concurrency: REPORTS_AT_ONCE,
        grace: GRACE,
    };
    let noting = async {
        let note = |received| progress::note(store, received);
        if let Err(error) = reports.run(note, shutdown.clone()).await {
            tracing::error!(%error, "the progress of jobs is no longer seen");
        }
    };
    tokio::join!(
        relay(Topic::Job, &wake),
        relay(Topic::Change, &told),
        claims::run(store, settings, &wake, &shutdown),
        requests::run(store, settings, &wake, &shutdown),
        housekeeping::run(store, settings, deps.roxy_wi.as_deref(), &told, &shutdown),
        Box::pin(roxy_wi::run(deps.roxy_wi.as_deref(), store, &shutdown)),
        noting,
    );
}
