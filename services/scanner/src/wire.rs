//! The seam between the engine and the network.

use portwatch_packet::{Addresses, Flow, Reply};
use std::time::Duration;

use thiserror::Error;

/// One SYN to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The place of its destination among the hosts of the scan.
    pub host: u32,
    /// From where to where.
    pub flow: Flow,
    /// The host has been silent for a while: the kernel should send this one, so that it notices if the next hop is
    /// no longer where it was.
    pub by_kernel: bool,
    /// Its sequence number: the cookie.
    pub sequence: u32,
}

/// What came of the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An answer, not yet proven.
    Reply(Reply),
    /// The probe that was taken did not leave after all, and should be sent again.
    Unsent(Probe),
    /// This machine refuses to send the probe.
    Blocked(Flow),
    /// The receive queue was full, and answers were lost.
    Overflow,
    /// Packets to this host go with these addresses from now on.
    Source {
        /// Its place among the hosts of the scan.
        host: u32,
        /// Our address and its own.
        addresses: Addresses,
    },
}

/// A wire that broke: no scan can go on with it.
#[derive(Debug, Error)]
#[error("cannot {attempted}")]
pub struct WireError {
    /// What was tried on which socket.
    pub attempted: String,
    /// Why it failed.
    pub source: std::io::Error,
}

/// Carries probes out and answers in.
pub trait Wire {
    /// Sends the probes; returns how many of them, from the front, were taken.
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError>;

    /// Waits until something comes in, at most for `wait`, and adds what came to `events`.
    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError>;
}
