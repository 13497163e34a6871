//! Runs an engine over a wire until the scan is over.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::engine::{Engine, Moment, Next, Progress};
use crate::exclude::Exclusions;
use crate::wire::{Wire, WireError};

/// How long to wait at most before looking whether the scan is still wanted.
const LOOK_UP: Duration = Duration::from_millis(50);
/// How long to wait when the wire takes no more probes.
const BACK_OFF: Duration = Duration::from_millis(2);

/// Tells the time.
pub trait Clock {
    /// The time since an origin, the same for all scans that share a pacer.
    fn now(&self) -> Moment;
}

/// The machine's monotonic clock, from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    origin: Instant,
}

impl Monotonic {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Moment {
        self.origin.elapsed()
    }
}

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every port has its verdict, or was given up, or the deadline has passed.
    Finished,
    /// `watch` asked to stop.
    Stopped,
}

/// Runs the scan to its end. `watch` is called at least every 50 ms and can stop it.
///
/// This blocks, so it belongs on a thread of its own. No probe passes that `exclusions` forbid: they are asked
/// here, after everything else, whatever the engine was told to scan.
pub fn drive(
    engine: &mut Engine,
    wire: &mut dyn Wire,
    clock: &dyn Clock,
    exclusions: &Exclusions,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<End, WireError> {
    let (mut batch, mut events) = (Vec::new(), Vec::new());
    loop {
        // Whatever came before this is heard before any timer of this time runs out, however long the machine has
        // kept this thread from running.
        let heard = clock.now();
        wire.receive(Duration::ZERO, &mut events)?;
        for event in events.drain(..) {
            engine.event(heard, event);
        }
        if watch(engine.progress()).is_break() {
            return Ok(End::Stopped);
        }
        batch.clear();
        let now = clock.now();
        let Next::At(wake) = engine.poll(now, heard, &mut batch) else {
            return Ok(End::Finished);
        };
        batch.retain(|probe| exclusions.permit(probe.flow.addresses.destination()));
        let taken = wire.send(&batch)?;
        let left = batch.get(taken..).unwrap_or_default();
        engine.unsent(now, left);
        let wait = if left.is_empty() {
            wake.saturating_sub(clock.now()).min(LOOK_UP)
        } else {
            BACK_OFF
        };
        if !wait.is_zero() {
            wire.receive(wait, &mut events)?;
        }
    }
}
