//! Ethernet frames with a SYN inside, from a template: what does not change from probe to probe is written and
//! summed up once, as RFC 1624 shows that a checksum can be brought up to date from what has changed alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::build::{SYN_SEGMENT_LEN, syn_ipv4, syn_segment};
use crate::flow::{Addresses, Flow, Pair, Ports};

/// Bytes of the longest frame: Ethernet, IPv6, and the segment.
pub const FRAME_LEN: usize = ETHERNET_LEN + IPV6_LEN + SYN_SEGMENT_LEN;

const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const TCP: u8 = 6;
const HOP_LIMIT: u8 = 64;

/// The frame of all probes that leave one of our addresses for one next hop.
#[derive(Clone, Debug)]
pub struct FrameTemplate {
    bytes: [u8; FRAME_LEN],
    is_ipv6: bool,
    /// The sum of the constant words of the IPv4 header.
    ip_sum: u32,
    /// The sum of the constant words of the segment and its pseudo-header.
    segment_sum: u32,
}

impl FrameTemplate {
    /// For frames from one hardware address to another, with probes from `source`.
    pub fn new(from: [u8; 6], to: [u8; 6], source: IpAddr) -> Self {
        let mut bytes = [0; FRAME_LEN];
        bytes[..6].copy_from_slice(&to);
        bytes[6..12].copy_from_slice(&from);
        let ports = Ports {
            source: 0,
            destination: 0,
        };
        let is_ipv6 = source.is_ipv6();
        match source {
            IpAddr::V4(source) => {
                let destination = Ipv4Addr::UNSPECIFIED;
                let pair = Pair {
                    source,
                    destination,
                };
                bytes[12..14].copy_from_slice(&ETHERTYPE_IPV4);
                let packet = syn_ipv4(pair, ports, 0, 0);
                bytes[ETHERNET_LEN..][..packet.len()].copy_from_slice(&packet);
                // Both checksums, of the header and of the segment.
                bytes[ETHERNET_LEN + 10..][..2].fill(0);
                bytes[ETHERNET_LEN + IPV4_LEN + 16..][..2].fill(0);
            }
            IpAddr::V6(source) => {
                let destination = Ipv6Addr::UNSPECIFIED;
                let addresses = Addresses::V6(Pair {
                    source,
                    destination,
                });
                bytes[12..14].copy_from_slice(&ETHERTYPE_IPV6);
                write_ipv6_header(&mut bytes[ETHERNET_LEN..][..IPV6_LEN], source);
                let segment = syn_segment(&Flow { addresses, ports }, 0, 0);
                bytes[ETHERNET_LEN + IPV6_LEN..].copy_from_slice(&segment);
                bytes[ETHERNET_LEN + IPV6_LEN + 16..][..2].fill(0);
            }
        }
        let mut template = Self {
            bytes,
            is_ipv6,
            ip_sum: 0,
            segment_sum: 0,
        };
        template.sum_up(source);
        template
    }

    fn sum_up(&mut self, source: IpAddr) {
        if !self.is_ipv6 {
            self.ip_sum = sum(&self.bytes[ETHERNET_LEN..ETHERNET_LEN + IPV4_LEN]);
        }
        let length = u32::try_from(SYN_SEGMENT_LEN).unwrap_or(0);
        let address = match source {
            IpAddr::V4(source) => sum(&source.octets()),
            IpAddr::V6(source) => sum(&source.octets()),
        };
        let start = self.segment_start();
        let segment = sum(&self.bytes[start..start + SYN_SEGMENT_LEN]);
        self.segment_sum = segment + address + u32::from(TCP) + length;
    }

    fn segment_start(&self) -> usize {
        ETHERNET_LEN + if self.is_ipv6 { IPV6_LEN } else { IPV4_LEN }
    }

    /// The frame of one probe; `None` if `destination` is of the other family. Arguments as for
    /// [`syn_segment`].
    pub fn fill(
        &mut self,
        destination: IpAddr,
        ports: Ports,
        sequence: u32,
        timestamp: u32,
    ) -> Option<&[u8]> {
        let start = self.segment_start();
        let address = match (destination, self.is_ipv6) {
            (IpAddr::V4(destination), false) => {
                let octets = destination.octets();
                self.bytes[ETHERNET_LEN + 16..][..4].copy_from_slice(&octets);
                let address = sum(&octets);
                let checksum = fold(self.ip_sum + address);
                self.bytes[ETHERNET_LEN + 10..][..2].copy_from_slice(&checksum);
                address
            }
            (IpAddr::V6(destination), true) => {
                let octets = destination.octets();
                self.bytes[ETHERNET_LEN + 24..][..16].copy_from_slice(&octets);
                sum(&octets)
            }
            _ => return None,
        };
        let segment = &mut self.bytes[start..start + SYN_SEGMENT_LEN];
        segment[..2].copy_from_slice(&ports.source.to_be_bytes());
        segment[2..4].copy_from_slice(&ports.destination.to_be_bytes());
        segment[4..8].copy_from_slice(&sequence.to_be_bytes());
        segment[28..32].copy_from_slice(&timestamp.to_be_bytes());
        let changed = u32::from(ports.source)
            + u32::from(ports.destination)
            + (sequence >> 16)
            + (sequence & 0xffff)
            + (timestamp >> 16)
            + (timestamp & 0xffff);
        let checksum = fold(self.segment_sum + address + changed);
        segment[16..18].copy_from_slice(&checksum);
        Some(&self.bytes[..start + SYN_SEGMENT_LEN])
    }
}

/// RFC 8200 section 3, without a flow label.
fn write_ipv6_header(header: &mut [u8], source: Ipv6Addr) {
    let length = u16::try_from(SYN_SEGMENT_LEN).unwrap_or(0);
    header[0] = 6 << 4;
    header[4..6].copy_from_slice(&length.to_be_bytes());
    header[6] = TCP;
    header[7] = HOP_LIMIT;
    header[8..24].copy_from_slice(&source.octets());
}

/// The sum of the 16-bit words; of at most 64 KiB, so it cannot overflow.
fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks_exact(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum()
}

/// The one's complement of the one's complement sum (RFC 1071).
fn fold(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(!sum & 0xffff).unwrap_or(0).to_be_bytes()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
    use pnet::packet::ipv6::Ipv6Packet;
    use pnet::packet::{Packet as _, ip::IpNextHeaderProtocols};
    use proptest::prelude::*;

    use super::*;

    const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const TO: [u8; 6] = [2, 0, 0, 0, 0, 2];

    proptest! {
        #[test]
        fn an_ipv4_frame_holds_the_packet_that_is_built_whole(
            source: u32, probes in prop::collection::vec(any::<(u32, u16, u16, u32, u32)>(), 1..5),
        ) {
            let source = Ipv4Addr::from_bits(source);
            let mut template = FrameTemplate::new(FROM, TO, source.into());
            for (to, from_port, to_port, sequence, timestamp) in probes {
                let destination = Ipv4Addr::from_bits(to);
                let ports = Ports { source: from_port, destination: to_port };
                let frame = template.fill(destination.into(), ports, sequence, timestamp).unwrap();
                let frame = EthernetPacket::new(frame).unwrap();
                prop_assert_eq!(frame.get_ethertype(), EtherTypes::Ipv4);
                prop_assert_eq!(frame.get_source().octets(), FROM);
                prop_assert_eq!(frame.get_destination().octets(), TO);
                let whole = syn_ipv4(Pair { source, destination }, ports, sequence, timestamp);
                prop_assert_eq!(frame.payload(), whole);
            }
        }

        #[test]
        fn an_ipv6_frame_holds_the_segment_that_is_built_whole(
            source: u128, probes in prop::collection::vec(any::<(u128, u16, u16, u32, u32)>(), 1..5),
        ) {
            let source = Ipv6Addr::from_bits(source);
            let mut template = FrameTemplate::new(FROM, TO, source.into());
            for (to, from_port, to_port, sequence, timestamp) in probes {
                let destination = Ipv6Addr::from_bits(to);
                let ports = Ports { source: from_port, destination: to_port };
                let frame = template.fill(destination.into(), ports, sequence, timestamp).unwrap();
                let frame = EthernetPacket::new(frame).unwrap();
                prop_assert_eq!(frame.get_ethertype(), EtherTypes::Ipv6);
                let packet = Ipv6Packet::new(frame.payload()).unwrap();
                prop_assert_eq!(packet.get_version(), 6);
                prop_assert_eq!(packet.get_next_header(), IpNextHeaderProtocols::Tcp);
                prop_assert_eq!(packet.get_hop_limit(), HOP_LIMIT);
                prop_assert_eq!((packet.get_source(), packet.get_destination()), (source, destination));
                let addresses = Addresses::V6(Pair { source, destination });
                let whole = syn_segment(&Flow { addresses, ports }, sequence, timestamp);
                prop_assert_eq!(packet.payload(), whole);
            }
        }
    }

    #[test]
    fn a_frame_is_of_one_family() {
        let ports = Ports {
            source: 1,
            destination: 2,
        };
        let mut template = FrameTemplate::new(FROM, TO, Ipv4Addr::LOCALHOST.into());
        assert_eq!(template.fill(Ipv6Addr::LOCALHOST.into(), ports, 0, 0), None);
    }
}
