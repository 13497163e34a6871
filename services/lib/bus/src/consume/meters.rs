//! What the consume loop counts, per noun.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::Route;

/// The meters of one noun: `portwatch_<noun>_…`.
#[derive(Clone, Copy)]
pub(super) struct Meters {
    consumed: &'static str,
    failed: &'static str,
    dead: &'static str,
    retried: &'static str,
    seconds: &'static str,
}

macro_rules! meters {
    ($noun:literal) => {
        Meters {
            consumed: concat!("portwatch_", $noun, "_consumed_total"),
            failed: concat!("portwatch_", $noun, "_failed_total"),
            dead: concat!("portwatch_", $noun, "_dead_total"),
            retried: concat!("portwatch_", $noun, "_retried_total"),
            seconds: concat!("portwatch_", $noun, "_handler_seconds"),
        }
    };
}

const JOB: Meters = meters!("job");
const SNAPSHOT: Meters = meters!("snapshot");
const CHANGE: Meters = meters!("change");
const PROGRESS: Meters = meters!("progress");

/// Says what the meters mean, and shows those of these routes as 0 from the start.
pub(super) fn describe(routes: &[Route]) {
    for meters in [JOB, SNAPSHOT, CHANGE, PROGRESS] {
        describe_counter!(meters.consumed, "Messages taken off the bus.");
        describe_counter!(meters.failed, "Messages whose handler failed or panicked.");
        describe_counter!(
            meters.dead,
            "Messages sent to the dead queue by a consumer."
        );
        describe_counter!(meters.retried, "Messages put aside for another attempt.");
        describe_histogram!(meters.seconds, Unit::Seconds, "Time the handler took.");
    }
    for route in routes {
        let meters = Meters::of(route);
        for name in [meters.consumed, meters.failed, meters.dead, meters.retried] {
            counter!(name).increment(0);
        }
    }
}

impl Meters {
    pub(super) const fn of(route: &Route) -> Self {
        match route {
            Route::Job { .. } => JOB,
            Route::Snapshot { .. } => SNAPSHOT,
            Route::Change => CHANGE,
            Route::Progress => PROGRESS,
        }
    }

    pub(super) fn consumed(self) {
        counter!(self.consumed).increment(1);
    }

    pub(super) fn failed(self) {
        counter!(self.failed).increment(1);
    }

    /// It goes to the dead queue, if messages of this route do.
    pub(super) fn given_up(self, route: &Route) {
        counter!(self.dead).increment(u64::from(!route.is_fleeting()));
    }

    pub(super) fn retried(self) {
        counter!(self.retried).increment(1);
    }

    pub(super) fn handled(self, took: Duration) {
        histogram!(self.seconds).record(took.as_secs_f64());
    }
}
