//! Why a verdict was given.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::spelling::UnknownWord;

/// The answer on which a verdict rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// SYN-ACK: something listens.
    SynAck,
    /// RST: nothing listens.
    Rst,
    /// A datagram from the UDP port itself that answers a probe: something listens.
    UdpReply,
    /// ICMP destination unreachable with this code (RFC 792; RFC 4443 for IPv6).
    IcmpUnreachable(u8),
    /// Nothing came back, while the path was shown to work.
    NoResponse,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SynAck => f.write_str("syn-ack"),
            Self::Rst => f.write_str("rst"),
            Self::UdpReply => f.write_str("udp-response"),
            Self::IcmpUnreachable(code) => write!(f, "icmp-unreachable({code})"),
            Self::NoResponse => f.write_str("no-response"),
        }
    }
}

impl FromStr for Answer {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = || {
            text.strip_prefix("icmp-unreachable(")?
                .strip_suffix(')')?
                .parse()
                .ok()
        };
        match text {
            "syn-ack" => Ok(Self::SynAck),
            "rst" => Ok(Self::Rst),
            "udp-response" => Ok(Self::UdpReply),
            "no-response" => Ok(Self::NoResponse),
            _ => code()
                .map(Self::IcmpUnreachable)
                .ok_or_else(|| UnknownWord {
                    what: "answer",
                    word: text.to_owned(),
                }),
        }
    }
}

/// Why a verdict was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// What came back.
    pub answer: Answer,
    /// Time to live (hop limit) of the answer as it arrived; `None` without a raw socket or answer.
    pub ttl: Option<u8>,
    /// From the probe to its answer; `None` if nothing came back.
    pub rtt: Option<Duration>,
    /// How many probes were sent to this port in this scan.
    pub probes: u16,
}
