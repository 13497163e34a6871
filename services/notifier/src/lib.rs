//! Consumes changes. Publishes webhooks and what other channels want. Guarantees that each
//! notification reaches each channel at least once under one id, in order for each host, or is
//! given up after three days of attempts that are all on record.
//!
//! Making the deliveries (`record`) is apart from attempting them (`deliver`): what is in the store
//! survives everything, and the broker only wakes.

pub mod api;
pub mod ask;
pub mod channels;
mod deliver;
mod hold;
pub mod log;
pub mod problems;
mod record;
pub mod routing;
mod settings;
pub mod silences;
#[cfg(test)]
mod skipped;
pub mod switch;

use std::sync::Arc;
use std::time::Duration;

use portwatch_bus::{Bus, BusError, Consumer, Received, Route};
use portwatch_domain::change::Changes;
use portwatch_store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use channels::Channel;
pub use routing::Routing;
pub use settings::{ChannelSettings, InvalidChannel, Settings, TemplateSettings, WebhookSettings};
pub use silences::Silences;

/// How long messages in hand may take to finish at the end.
const GRACE: Duration = Duration::from_secs(10);

/// What the notifier works with.
#[derive(Clone)]
pub struct Deps {
    /// Notifications, deliveries and their log.
    pub store: Store,
    /// Where changes come from.
    pub bus: Bus,
    /// Who is told.
    pub channels: Arc<Vec<Channel>>,
    /// Of what.
    pub routing: Arc<Routing>,
    /// And of what not.
    pub silences: Silences,
}

/// Runs until the token is cancelled. Any number of notifiers may run at once.
///
/// # Errors
/// If the bus can no longer be consumed from.
pub async fn run(
    deps: Deps,
    settings: &Settings,
    shutdown: CancellationToken,
) -> Result<(), BusError> {
    let wake = watch::Sender::new(());
    let consumer = Consumer {
        bus: deps.bus.clone(),
        routes: vec![Route::Change],
        concurrency: settings.concurrency,
        grace: GRACE,
    };
    let handler = |received: Received<Changes>| record::record(&deps, &wake, &shutdown, received);
    let (ended, (), (), (), ()) = tokio::join!(
        consumer.run(handler, shutdown.clone()),
        deliver::run(&deps, settings, &wake, &shutdown),
        hold::run(&deps, &wake, &shutdown),
        problems::run(&deps, settings.remind, &wake, &shutdown),
        deliver::gauges::run(&deps, &shutdown),
    );
    ended
}
