//! How the sync stands: told in the log when it changes, in metrics, and in the answer of `/readyz`.

use std::fmt;

use jiff::Timestamp;
use portwatch_store::history::GroupRetention;

use super::numbers::RoxyNumbers;
use super::{Look, SyncError};
use crate::housekeeping::gauge;

/// What is known of the last syncs.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Since when none was possible, and why not.
    failing: Option<(Timestamp, String)>,
    last_good: Option<Timestamp>,
    targets: usize,
    refused: Vec<String>,
    /// The numbers that were saved last; `None` until any were.
    pub numbers: Option<RoxyNumbers>,
    /// How long the histories of its groups are kept; `None` until it could be read.
    pub retention: Option<Vec<GroupRetention>>,
}

impl Standing {
    /// Takes note of how a sync ended, and tells what is new about that.
    pub fn note(&mut self, ended: Result<Look, SyncError>, now: Timestamp) {
        match ended {
            Ok(look) => self.good(look, now),
            Err(error) => self.bad(error.to_string(), now),
        }
        gauge(
            "portwatch_roxy_wi_failing",
            u64::from(self.failing.is_some()),
        );
    }

    fn good(&mut self, look: Look, now: Timestamp) {
        metrics::counter!("portwatch_roxy_wi_sync_total", "result" => "done").increment(1);
        gauge("portwatch_roxy_wi_targets", look.targets as u64);
        gauge("portwatch_roxy_wi_refused", look.refused.len() as u64);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("portwatch_roxy_wi_synced_timestamp_seconds").set(now.as_second() as f64);
        if let Some((since, _)) = self.failing.take() {
            tracing::info!(%since, "Roxy-WI can be read again");
        }
        for server in look
            .refused
            .iter()
            .filter(|server| !self.refused.contains(server))
        {
            tracing::warn!(%server, "a server of Roxy-WI cannot be watched; its target stays as it was, if it had one");
        }
        self.refused = look.refused;
        self.targets = look.targets;
        self.last_good = Some(now);
    }

    fn bad(&mut self, error: String, now: Timestamp) {
        metrics::counter!("portwatch_roxy_wi_sync_total", "result" => "failed").increment(1);
        let since = match &self.failing {
            Some((since, before)) if *before == error => *since,
            Some((since, _)) => {
                tracing::error!(%error, "the sync with Roxy-WI fails in another way; trying on");
                *since
            }
            None => {
                tracing::error!(%error, "no sync with Roxy-WI: its targets stay as they are; trying on");
                now
            }
        };
        self.failing = Some((since, error));
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.failing, self.last_good) {
            (Some((since, error)), _) => write!(f, "failing since {since:.0}: {error}"),
            (None, None) => f.write_str("not read yet"),
            (None, Some(at)) => {
                let plural = if self.targets == 1 { "" } else { "s" };
                write!(f, "{} target{plural}, read at {at:.0}", self.targets)?;
                for server in &self.refused {
                    write!(f, "; {server}")?;
                }
                Ok(())
            }
        }
    }
}
