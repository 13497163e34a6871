//! Packets that say what is not true, as a stranger or a broken box may send them.

use std::net::IpAddr;

use pnet_packet::tcp::TcpFlags;

use super::back;
use crate::lab::frame::{self, Answer, Misquote, Segment};
use crate::lab::scenario::{Host, Tale, Unreachable};

/// A sequence number that no probe has; any constant does.
const WRONG: u32 = 0x0bad_ac00;

/// All that is told falsely about a probe.
pub fn told(host: &Host, segment: &Segment<'_>) -> Vec<Vec<u8>> {
    let about = |port| move |forged: &&crate::lab::scenario::Forged| forged.ports.contains(port);
    let tales = host.forged.iter().filter(about(segment.to.1));
    tales
        .flat_map(|forged| &forged.tales)
        .filter_map(|tale| tell(*tale, segment))
        .collect()
}

fn tell(tale: Tale, segment: &Segment<'_>) -> Option<Vec<u8>> {
    let right = Answer {
        from: segment.to,
        to: segment.from,
        seq: 1,
        ack: segment.seq.wrapping_add(1),
        flags: TcpFlags::SYN | TcpFlags::ACK,
    };
    let (ip, port) = segment.to;
    let answer = match tale {
        Tale::SynAckWrongAck => Answer {
            ack: segment.seq ^ WRONG,
            ..right
        },
        Tale::RstWrongAck => Answer {
            ack: segment.seq ^ WRONG,
            flags: TcpFlags::RST | TcpFlags::ACK,
            ..right
        },
        Tale::SynAckOtherPort => Answer {
            from: (ip, port.wrapping_add(1).max(1)),
            ..right
        },
        Tale::SynAckOtherAddress => Answer {
            from: (above(ip), port),
            ..right
        },
        Tale::SynAckToOtherPort => Answer {
            to: (segment.from.0, segment.from.1.wrapping_add(1).max(1)),
            ..right
        },
        Tale::IcmpWrongSequence => return icmp(segment, Misquote::Sequence),
        Tale::IcmpWrongPort => return icmp(segment, Misquote::SourcePort),
        Tale::IcmpWrongDestination => return icmp(segment, Misquote::Destination),
        Tale::IcmpShort => return icmp(segment, Misquote::Short),
    };
    frame::tcp(back(segment), answer)
}

fn icmp(segment: &Segment<'_>, wrong: Misquote) -> Option<Vec<u8>> {
    let quoted = frame::misquote(segment.packet, wrong);
    let ends = (segment.to.0, segment.from.0);
    frame::unreachable(back(segment), ends, Unreachable::Host, &quoted)
}

/// The next address.
fn above(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => std::net::Ipv4Addr::from_bits(ip.to_bits() + 1).into(),
        IpAddr::V6(ip) => std::net::Ipv6Addr::from_bits(ip.to_bits() + 1).into(),
    }
}
