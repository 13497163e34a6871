//! UDP: which ports answer, which are closed, and which cannot be told.
//!
//! It goes through ordinary UDP sockets, so it needs no privilege, follows every route, and speaks both families.
//! Each probe of a port leaves from another socket (a *lane*), so that an answer belongs to one transmission. The
//! error queues of the sockets tell which probe was rejected, by whom, and with which ICMP code.
//!
//! * *open*: an answer that proves itself ([`payloads`]).
//! * *closed*: ICMP port unreachable from the host itself; twice, at least a second apart and from two lanes, if
//!   the port was known open.
//! * *filtered*: any other ICMP unreachable, or one from somebody else on the way, twice. That somebody finds no way
//!   to the host counts only while the host itself is heard: otherwise it is the host that is gone.
//! * otherwise *open or filtered*, which is no verdict: such a port is not covered.
//!
//! As with TCP, the scan is a state machine ([`engine`]) over a small seam ([`wire`]): time is passed in, and
//! randomness comes with the plan. How a host limits its ICMP errors is learnt as they come ([`pace`]).

mod engine;
mod pace;
mod payloads;
mod plan;
mod report;
mod sockets;
mod track;
mod wire;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use plan::{UdpPlan, UdpTarget};
pub use report::{UdpHost, UdpScan};

use engine::Engine;
use sockets::UdpSockets;

use crate::drive::{Clock, drive};
use crate::engine::{Pacer, Progress};
use crate::exclude::Exclusions;
use crate::wire::WireError;

/// Scans the UDP ports of `plan` until all is told, the deadline passes, or `watch` asks to stop.
///
/// This blocks, so it belongs on a thread of its own. `watch` is called at least every 50 ms. Every scan of the
/// process must be given the same pacer and the same clock. No packet goes where `exclusions` forbid it.
///
/// # Errors
/// If a socket cannot be had or breaks. What was seen until then is lost.
pub fn scan(
    plan: UdpPlan,
    pacer: Arc<Pacer>,
    clock: &dyn Clock,
    exclusions: &Exclusions,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<UdpScan, WireError> {
    let mut wire = UdpSockets::open(plan.hosts.iter().map(|host| host.ip))?;
    let mut engine = Engine::new(plan, pacer, clock.now());
    let end = drive(&mut engine, &mut wire, clock, exclusions, watch)?;
    Ok(engine.finish(end))
}
