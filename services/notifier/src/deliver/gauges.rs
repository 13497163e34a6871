//! Says how the channels fare, in metrics and, of deliveries that nobody will make, in the log.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use portwatch_store::channels::ChannelState;
use tokio_util::sync::CancellationToken;

use crate::Deps;

/// How often.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Runs until the token is cancelled.
pub(crate) async fn run(deps: &Deps, shutdown: &CancellationToken) {
    let mut known = BTreeSet::new();
    while !shutdown.is_cancelled() {
        match deps.store.channels().await {
            Ok(states) => look(deps, &states, &mut known),
            Err(error) => tracing::debug!(%error, "how channels fare cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn look(deps: &Deps, states: &[ChannelState], known: &mut BTreeSet<String>) {
    let now = Timestamp::now();
    for channel in deps.channels.iter() {
        let state = states.iter().find(|state| state.name == channel.name());
        let failing = state.and_then(|state| state.failing_since);
        let failing = failing.map_or(0.0, |since| now.duration_since(since).as_secs_f64());
        let is_off = state.is_some_and(|state| state.off.is_some());
        let pending = state.map_or(0, |state| state.pending);
        let name = channel.name().to_owned();
        metrics::gauge!("portwatch_channel_failing_seconds", "channel" => name.clone())
            .set(failing);
        metrics::gauge!("portwatch_channel_off", "channel" => name.clone())
            .set(f64::from(u8::from(is_off)));
        metrics::gauge!("portwatch_delivery_pending", "channel" => name).set(pending as f64);
    }
    for state in states {
        let is_configured = deps
            .channels
            .iter()
            .any(|channel| channel.name() == state.name);
        if !is_configured && state.pending > 0 && known.insert(state.name.clone()) {
            tracing::warn!(
                channel = state.name,
                deliveries = state.pending,
                "the settings have no such channel any more, but there are deliveries to it: put it back, or give them up with `portwatch channel off`"
            );
        }
    }
}
