//! Runs an engine over a wire until the scan is over.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::engine::{Moment, Next, Progress};
use crate::exclude::Exclusions;
use crate::wire::{Event, Probe, Wire, WireError};

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

/// A scan as a state machine: what there is to send, and what came of it.
pub trait Driven {
    /// What it sends.
    type Probe;
    /// What it hears.
    type Event;

    /// Where a probe goes.
    fn destination(probe: &Self::Probe) -> IpAddr;

    /// Takes in what came from the wire at `now`.
    fn event(&mut self, now: Moment, event: Self::Event);

    /// Adds the probes that may leave at `now` to `batch`, and says when to call again. All answers that came
    /// until `heard` have been told with [`Driven::event`], so that what is still missing then is missing.
    fn poll(&mut self, now: Moment, heard: Moment, batch: &mut Vec<Self::Probe>) -> Next;

    /// Takes back probes that were handed out and did not leave. They will be handed out again.
    fn unsent(&mut self, now: Moment, probes: &[Self::Probe]);

    /// How far the scan is.
    fn progress(&self) -> Progress;
}

/// What a scan goes over: it carries probes `P` out, and brings in events `E`.
pub trait Carrier<P, E> {
    /// Sends the probes; returns how many of them, from the front, were taken.
    fn send(&mut self, probes: &[P]) -> Result<usize, WireError>;

    /// Waits until something comes in, at most for `wait`, and adds what came to `events`.
    fn receive(&mut self, wait: Duration, events: &mut Vec<E>) -> Result<(), WireError>;
}

impl<W: Wire + ?Sized> Carrier<Probe, Event> for W {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        Wire::send(self, probes)
    }

    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError> {
        Wire::receive(self, wait, events)
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
pub fn drive<E: Driven, W: Carrier<E::Probe, E::Event> + ?Sized>(
    engine: &mut E,
    wire: &mut W,
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
        batch.retain(|probe| exclusions.permit(E::destination(probe)));
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
