//! What passes between the engine and the network.

use std::net::{IpAddr, SocketAddr};

use super::payloads::{Origin, answers_from};

/// How many lanes the attempts on a port take turns with.
const TURNS: u8 = 8;
/// The ports that are answered from a port of the server's choice. The first attempt on them and every other one
/// leaves through a lane that nothing else uses, so that no other port is taken for the one that answers.
const ANSWERED_FROM_ANYWHERE: [u16; 2] = [69, 1900];
/// How many lanes there are.
pub(super) const LANES: u8 = TURNS + 2;

/// The lane of an attempt, counted from 0, on a port.
pub(super) fn lane(port: u16, attempt: u16) -> u8 {
    let of_its_own = (TURNS..LANES).zip(ANSWERED_FROM_ANYWHERE);
    let own = of_its_own.into_iter().find(|&(_, own)| own == port);
    match own {
        Some((lane, _)) if attempt.is_multiple_of(2) && answers_from(port) == Origin::Any => lane,
        _ => u8::try_from(attempt % u16::from(TURNS)).unwrap_or_default(),
    }
}

/// The port that is meant by an answer from `from` on this lane.
pub(super) fn asked_port(lane: u8, from: u16) -> u16 {
    let own = lane.checked_sub(TURNS).map(usize::from);
    own.and_then(|own| ANSWERED_FROM_ANYWHERE.get(own).copied())
        .unwrap_or(from)
}

/// One datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// Where to.
    pub(super) to: SocketAddr,
    /// Through which lane.
    pub(super) lane: u8,
    /// What it says.
    pub(super) payload: Vec<u8>,
}

/// An ICMP error about a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    /// Where the probe was going.
    pub(super) to: SocketAddr,
    /// Through which lane.
    pub(super) lane: u8,
    /// Who rejected it.
    pub(super) by: IpAddr,
    /// The ICMP type.
    pub(super) kind: u8,
    /// The ICMP code.
    pub(super) code: u8,
    /// Time to live of the error as it arrived.
    pub(super) ttl: Option<u8>,
    /// As much of the probe's payload as was quoted.
    pub(super) quoted: Vec<u8>,
}

/// What came of the probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A datagram, not yet proven to be an answer.
    Reply {
        /// From whom.
        from: SocketAddr,
        /// On which lane.
        lane: u8,
        /// Time to live as it arrived.
        ttl: Option<u8>,
        /// What it says; only its beginning if it is long.
        payload: Vec<u8>,
    },
    /// An ICMP error.
    Rejected(Rejection),
    /// This machine refuses to send to this port.
    Blocked {
        /// Where to.
        to: SocketAddr,
    },
}
