//! The sources of targets that keep the switches themselves, for the console.

use std::collections::BTreeMap;
use std::sync::Arc;

use portwatch_console::SetAtSource;
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
            let roxy_wi = roxy_wi.ok_or_else(|| NO_ROXY_WI.to_owned())?;
            let set = roxy_wi.set_of(&store, target, switching).await;
            set.map(|_| ()).map_err(|error| error.to_string())
        })
    });
    BTreeMap::from([(Source::RoxyWi.as_str(), set)])
}
