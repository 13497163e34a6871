//! The rates that connections count against.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::drive::{Clock as _, Monotonic};
use crate::engine::{Pacer, Rates};
use crate::settings::Settings;

/// How often a full bucket is looked at again. Connections are few, so nothing is lost by it.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Buckets of tokens, one of which each connection takes: per process, network and host.
#[derive(Clone, Debug)]
pub struct Budget {
    pacer: Arc<Pacer>,
    /// The rate of one job, if its is kept apart.
    job: Option<Arc<Pacer>>,
    clock: Monotonic,
}

impl Budget {
    /// Full buckets with the rates of these settings, for a process that does not scan at the same time.
    pub fn new(settings: &Settings) -> Self {
        Self::shared(Arc::new(Pacer::new(settings.rates())), Monotonic::start())
    }

    /// The buckets that scans use as well, with their clock.
    pub(crate) fn shared(pacer: Arc<Pacer>, clock: Monotonic) -> Self {
        Self {
            pacer,
            job: None,
            clock,
        }
    }

    /// The same buckets, and beside them those of a job that may send `rate` packets per second.
    pub(crate) fn of_job(&self, rate: u32) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let rates = Rates {
            total: rate,
            network: rate,
            host: rate,
        };
        Self {
            job: Some(Arc::new(Pacer::new(rates))),
            ..self.clone()
        }
    }

    /// Waits until a packet may go to this host.
    pub(super) async fn token(&self, host: IpAddr) {
        for pacer in self.job.iter().chain([&self.pacer]) {
            while pacer.take(self.clock.now(), host).is_err() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}
