//! SYN cookies of the scanner's side: the probe's sequence number is a keyed hash of its flow, so that a reply
//! which acknowledges it can only come from someone who saw the probe, and no table of sent probes is needed.
//!
//! The hash is SipHash-2-4 (Aumasson and Bernstein, 2012) cut to 32 bits.

use std::fmt;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::flow::Flow;
use crate::reply::{Answer, Reply};

/// The secret of one job (or of one phase of it). Draw it from the system's random source and never use it
/// twice: under a fresh key no reply to an older probe is accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    bits: [u8; 16],
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

impl Key {
    /// A key of 128 random bits.
    pub fn new(bits: [u8; 16]) -> Self {
        Self { bits }
    }

    /// The sequence number of the SYN that probes `flow`.
    pub fn sequence(&self, flow: &Flow) -> u32 {
        // Two addresses of at most 16 bytes, two ports. The length tells the families apart.
        let mut input = [0; 36];
        let mut length = 0;
        let mut write = |bytes: &[u8]| {
            input[length..length + bytes.len()].copy_from_slice(bytes);
            length += bytes.len();
        };
        for address in [flow.addresses.source(), flow.addresses.destination()] {
            match address {
                IpAddr::V4(address) => write(&address.octets()),
                IpAddr::V6(address) => write(&address.octets()),
            }
        }
        write(&flow.ports.source.to_be_bytes());
        write(&flow.ports.destination.to_be_bytes());
        let hash = SipHasher24::new_with_key(&self.bits).hash(&input[..length]);
        (hash >> 32) as u32
    }

    /// Whether `reply` proves that its sender saw the probe of `reply.flow` made under this key.
    ///
    /// * SYN-ACK: it acknowledges the SYN (`seq + 1`).
    /// * RST: it acknowledges `seq + 1`, as RFC 9293 section 3.5.2 asks, or `seq`, as some stacks and
    ///   firewalls do.
    /// * ICMP unreachable: the quoted header carries `seq` itself.
    pub fn proves(&self, reply: &Reply) -> bool {
        let sequence = self.sequence(&reply.flow);
        let next = sequence.wrapping_add(1);
        match reply.answer {
            Answer::SynAck { acknowledged, .. } => acknowledged == next,
            Answer::Rst { acknowledged, .. } => acknowledged == next || acknowledged == sequence,
            Answer::Unreachable {
                sequence: quoted, ..
            } => quoted == sequence,
        }
    }
}

#[cfg(test)]
mod tests;
