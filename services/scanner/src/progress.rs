//! Tells those who wait for a job how far it is. What cannot be told is dropped: the next report says it all again.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use portwatch_bus::{Bus, Route};
use portwatch_domain::job::progress::Progress as Report;
use portwatch_domain::job::{Job, Priority};
use portwatch_schemas::{Meta, TraceParent, encode};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use uuid::Uuid;

use crate::Progress;
use crate::service::SOURCE;

/// How often it is told, and how long one report may take to leave.
const EVERY: Duration = Duration::from_secs(2);

/// What tells of one job.
pub(crate) struct Teller<'a> {
    pub bus: &'a Bus,
    pub job: &'a Job,
    pub worker: &'a str,
    pub trace: TraceParent,
}

impl Teller<'_> {
    /// Waits for the outcome of `scan`, and tells every two seconds how far it is, by what is seen of it then. A
    /// job that nobody waits for is not told of.
    pub(crate) async fn tell_until<T>(
        &self,
        scan: impl Future<Output = T>,
        seen: watch::Receiver<Progress>,
    ) -> T {
        if self.job.priority != Priority::High {
            return scan.await;
        }
        tokio::select! {
            biased;
            outcome = scan => outcome,
            never = self.tell_on(&seen) => match never {},
        }
    }

    async fn tell_on(&self, seen: &watch::Receiver<Progress>) -> Infallible {
        let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let progress = *seen.borrow();
            self.tell(progress).await;
        }
    }

    async fn tell(&self, progress: Progress) {
        let report = self.report(progress);
        let meta = Meta {
            id: Uuid::new_v4(),
            source: SOURCE.to_owned(),
            time: report.at,
            trace: self.trace.child(Uuid::new_v4().as_u64_pair().0),
        };
        let body = match encode(&meta, &report) {
            Ok(body) => body,
            Err(error) => {
                tracing::debug!(job = %report.job, %error, "how far the job is cannot be said");
                return;
            }
        };
        let published = self.bus.publish(&Route::Progress, meta.id, body);
        match timeout(EVERY, published).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(job = %report.job, %error, "how far the job is was not taken");
            }
            Err(_) => {
                tracing::debug!(job = %report.job, "how far the job is was not taken in time");
            }
        }
    }

    fn report(&self, progress: Progress) -> Report {
        Report {
            job: self.job.id,
            target: self.job.target,
            worker: self.worker.to_owned(),
            at: Timestamp::now(),
            sent: progress.sent,
            planned: self.job.planned_probes(),
            answered: progress.answers,
            open: progress.open.into(),
        }
    }
}
