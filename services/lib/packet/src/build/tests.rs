#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv6Addr;

use pnet::packet::Packet;
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::tcp::{TcpOptionNumber, TcpOptionNumbers, TcpPacket};
use proptest::prelude::*;

use super::*;

prop_compose! {
    fn ports()(source: u16, destination: u16) -> Ports { Ports { source, destination } }
}

/// What a parser of another's making reads from the segment.
fn assert_client_syn(segment: &[u8], ports: Ports, sequence: u32, timestamp: u32, mss: u16) {
    let syn = TcpPacket::new(segment).unwrap();
    assert_eq!(syn.get_source(), ports.source);
    assert_eq!(syn.get_destination(), ports.destination);
    assert_eq!(syn.get_sequence(), sequence);
    assert_eq!(syn.get_acknowledgement(), 0);
    assert_eq!(syn.get_flags(), TcpFlags::SYN);
    assert!(syn.payload().is_empty());
    let options: Vec<(TcpOptionNumber, Vec<u8>)> = syn
        .get_options_iter()
        .map(|option| (option.get_number(), option.payload().to_vec()))
        .collect();
    let stamp = [timestamp.to_be_bytes(), [0; 4]].concat();
    assert_eq!(
        options,
        [
            (TcpOptionNumbers::MSS, mss.to_be_bytes().to_vec()),
            (TcpOptionNumbers::SACK_PERMITTED, vec![]),
            (TcpOptionNumbers::TIMESTAMPS, stamp),
            (TcpOptionNumbers::NOP, vec![]),
            (TcpOptionNumbers::WSCALE, vec![WINDOW_SCALE]),
        ]
    );
}

proptest! {
    #[test]
    fn an_ipv4_packet_reads_back_as_it_was_built_and_its_checksums_hold(
        source: Ipv4Addr, destination: Ipv4Addr, ports in ports(), sequence: u32, timestamp: u32,
    ) {
        let packet = syn_ipv4(Pair { source, destination }, ports, sequence, timestamp);
        let header = Ipv4Packet::new(&packet).unwrap();
        prop_assert_eq!(header.get_version(), 4);
        prop_assert_eq!(usize::from(header.get_header_length()) * 4, IPV4_HEADER_LEN);
        prop_assert_eq!(usize::from(header.get_total_length()), packet.len());
        prop_assert_eq!(header.get_source(), source);
        prop_assert_eq!(header.get_destination(), destination);
        prop_assert_eq!(header.get_next_level_protocol(), IpNextHeaderProtocols::Tcp);
        prop_assert_eq!(header.get_checksum(), ipv4::checksum(&header));
        let syn = TcpPacket::new(header.payload()).unwrap();
        prop_assert_eq!(syn.get_checksum(), tcp::ipv4_checksum(&syn, &source, &destination));
        assert_client_syn(header.payload(), ports, sequence, timestamp, MSS_IPV4);
    }

    #[test]
    fn an_ipv6_segment_reads_back_as_it_was_built_and_its_checksum_holds(
        source: Ipv6Addr, destination: Ipv6Addr, ports in ports(), sequence: u32, timestamp: u32,
    ) {
        let flow = Flow { addresses: Addresses::V6(Pair { source, destination }), ports };
        let segment = syn_segment(&flow, sequence, timestamp);
        let syn = TcpPacket::new(&segment).unwrap();
        prop_assert_eq!(syn.get_checksum(), tcp::ipv6_checksum(&syn, &source, &destination));
        assert_client_syn(&segment, ports, sequence, timestamp, MSS_IPV6);
    }
}

#[test]
fn the_checksum_is_the_one_computed_by_hand() {
    // 127.0.0.1:40000 → 127.0.0.2:80, sequence 0x01020304, timestamp 0x05060708: the sum of all words of
    // pseudo-header, header and options, folded and inverted.
    let pair = Pair {
        source: Ipv4Addr::LOCALHOST,
        destination: Ipv4Addr::new(127, 0, 0, 2),
    };
    let ports = Ports {
        source: 40_000,
        destination: 80,
    };
    let packet = syn_ipv4(pair, ports, 0x0102_0304, 0x0506_0708);
    let mut sum: u32 = 6 + 40;
    for word in packet[12..].chunks(2) {
        sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
    }
    // With the checksum itself in the sum, the result is all ones (RFC 1071).
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
}
