//! Consumes HTTP. Publishes nothing itself: switches and requests for scans go through the store. Guarantees that
//! nobody sees or changes what is of a group that is not theirs, that no password or token is kept as it is, and that
//! whatever is changed is in the audit log.

mod answer;
mod api;
mod caller;
pub mod credentials;
mod login;
mod pages;
mod roxy_wi;
mod scan_now;
mod servers;
mod settings;
mod switches;
mod throttle;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use portwatch_store::Store;
use tokio::sync::Semaphore;

pub use settings::{InvalidSettings, Settings};
pub use switches::{NotSet, SetAtSource};

use login::PASSWORDS_AT_ONCE;
use throttle::Throttle;

/// What is longer is no request of ours.
const MOST_BYTES: usize = 64 * 1024;

/// What the console works with.
#[derive(Clone)]
pub struct Deps {
    /// Everything that is shown, and where changes go.
    pub store: Store,
    /// For the sources that keep the switches of their targets themselves.
    pub sources: BTreeMap<&'static str, SetAtSource>,
}

struct Shared {
    deps: Deps,
    settings: Settings,
    throttle: Throttle,
    /// Checking a password takes memory and time, and anybody can ask for it.
    checks: Semaphore,
}

/// The console, to be served beside the health of the process.
///
/// # Errors
/// If a setting cannot be.
pub fn router(deps: Deps, settings: Settings) -> Result<Router, InvalidSettings> {
    let settings = settings.checked()?;
    login::count_from_zero();
    let shared = Arc::new(Shared {
        deps,
        settings,
        throttle: Throttle::default(),
        checks: Semaphore::new(PASSWORDS_AT_ONCE),
    });
    Ok(Router::new()
        .merge(roxy_wi::routes())
        .merge(api::routes())
        .merge(pages::routes())
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(shared))
}
