//! The silences that hold now, as the store has them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portwatch_domain::change::{About, Change};
use portwatch_domain::notification::quiet::{Silence, quiet};
use portwatch_store::{Store, StoreError, silences};
use tokio::sync::Mutex;

use crate::Deps;
use crate::routing::MatchSettings;

/// How long what was read is taken for true: a new silence holds after this time at the latest.
const FRESH: Duration = Duration::from_secs(2);

/// What was read of the silences last.
#[derive(Clone, Debug, Default)]
pub struct Silences(Arc<Mutex<Option<Known>>>);

/// When they were read, and what they were.
type Known = (Instant, Arc<Vec<Silence>>);

impl Silences {
    /// The silences that have not ended. If the store cannot be asked, those that were known last: what is not told
    /// cannot be told later, so who is silenced stays so.
    pub(crate) async fn current(&self, store: &Store) -> Arc<Vec<Silence>> {
        let mut known = self.0.lock().await;
        if let Some((read_at, silences)) = &*known
            && read_at.elapsed() < FRESH
        {
            return Arc::clone(silences);
        }
        match read(store, Timestamp::now()).await {
            Ok(silences) => {
                let silences = Arc::new(silences);
                *known = Some((Instant::now(), Arc::clone(&silences)));
                silences
            }
            Err(error) => {
                tracing::warn!(%error, "the silences cannot be read; those known before hold");
                let last = known.as_ref().map(|(_, silences)| Arc::clone(silences));
                last.unwrap_or_default()
            }
        }
    }
}

impl Deps {
    /// Whether nobody is told of the change at `now`.
    pub(crate) fn is_quiet(
        &self,
        silences: &[Silence],
        about: &About,
        change: &Change,
        now: Timestamp,
    ) -> bool {
        quiet(silences, &self.routing.maintenance, about, change, now).is_some()
    }
}

/// The silences that end after `now`.
///
/// # Errors
/// If the store cannot be asked.
pub async fn read(store: &Store, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
    let saved = store.silences(now, false).await?;
    Ok(saved.into_iter().filter_map(silence).collect())
}

/// A silence that a newer version made may not be understood: then it does not hold, and that is logged.
fn silence(saved: silences::Silence) -> Option<Silence> {
    let matcher = serde_json::from_str::<MatchSettings>(&saved.matcher)
        .map_err(|error| error.to_string())
        .and_then(|matches| matches.matcher().map_err(|error| error.to_string()));
    match matcher {
        Ok(matcher) => Some(Silence {
            id: saved.id,
            matcher,
            reason: saved.reason,
            author: saved.author,
            from: saved.from,
            until: saved.until,
        }),
        Err(error) => {
            tracing::error!(id = %saved.id, error, "a silence is not understood, and does not hold");
            None
        }
    }
}
