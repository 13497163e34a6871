//! The sources of targets that keep the switches themselves, for the console.

use std::collections::BTreeMap;
use std::sync::Arc;

use portwatch_console::{NotSet, SetAtSource};
use portwatch_scheduler::roxy_wi::SetError;
use portwatch_scheduler::{RoxyWi, Source};
use portwatch_store::Store;

/// What is said of Roxy-WI's targets where its settings are not known.
const NO_ROXY_WI: &str = "the switches of this server are kept in Roxy-WI (Monitoring → Port scanner): change them \
     there, or set scheduler.roxy_wi for the console as well";

/// The sources, by name.
pub fn sources(
    store: &Store,
    roxy_wi: Option<&Arc<RoxyWi>>,
) -> BTreeMap<&'static str, SetAtSource> {
    let (store, roxy_wi) = (store.clone(), roxy_wi.cloned());
    let set: SetAtSource = Arc::new(move |target, switching| {
        let (store, roxy_wi) = (store.clone(), roxy_wi.clone());
        Box::pin(async move {
            let roxy_wi = roxy_wi.ok_or_else(|| NotSet::Refused(NO_ROXY_WI.to_owned()))?;
            match roxy_wi.set_of(&store, target, switching).await {
                Ok(_) => Ok(()),
                Err(error @ SetError::Later { .. }) => {
                    tracing::warn!(%error, "switches were set, and are taken over later");
                    Ok(())
                }
                Err(error @ (SetError::Sync(_) | SetError::NotKept(_))) => {
                    Err(NotSet::Failed(error.to_string()))
                }
                Err(error) => Err(NotSet::Refused(error.to_string())),
            }
        })
    });
    BTreeMap::from([(Source::RoxyWi.as_str(), set)])
}
