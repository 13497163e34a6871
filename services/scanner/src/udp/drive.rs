//! Runs a UDP scan over a wire until it is over.

use std::ops::ControlFlow;
use std::time::Duration;

use super::engine::Engine;
use super::wire::Wire;
use crate::drive::{Clock, End};
use crate::engine::{Next, Progress};
use crate::exclude::Exclusions;
use crate::wire::WireError;

/// How long to wait at most before looking whether the scan is still wanted.
const LOOK_UP: Duration = Duration::from_millis(50);
/// How long to wait when the wire takes no more probes.
const BACK_OFF: Duration = Duration::from_millis(2);

/// Runs the scan to its end. No probe passes that `exclusions` forbid: they are asked here, after everything else.
pub(super) fn drive(
    engine: &mut Engine,
    wire: &mut dyn Wire,
    clock: &dyn Clock,
    exclusions: &Exclusions,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<End, WireError> {
    let (mut batch, mut events) = (Vec::new(), Vec::new());
    loop {
        // Whatever came before this is heard before any timer of this time runs out.
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
        batch.retain(|probe| exclusions.permit(probe.to.ip()));
        let taken = wire.send(&batch)?;
        let left = batch.get(taken..).unwrap_or_default();
        engine.unsent(left);
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
