#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv4Addr;

use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::MutableIpv4Packet;
use pnet::packet::tcp::MutableTcpPacket;
use proptest::prelude::*;

use super::*;
use crate::build::{syn_ipv4, syn_segment};

const US: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 254);
const PAIR: Pair<Ipv4Addr> = Pair {
    source: US,
    destination: TARGET,
};
const PORTS: Ports = Ports {
    source: 40_000,
    destination: 443,
};
const FLOW: Flow = Flow {
    addresses: Addresses::V4(PAIR),
    ports: PORTS,
};
const US6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x198, 0x18, 0, 0, 0, 0, 1);
const TARGET6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x198, 0x18, 0, 0, 0, 0, 2);

/// A TCP segment from the target to us, with 4 bytes of options.
fn segment(flags: u8, sequence: u32, acknowledged: u32) -> Vec<u8> {
    let mut bytes = vec![0; 24];
    let mut tcp = MutableTcpPacket::new(&mut bytes).unwrap();
    tcp.set_source(PORTS.destination);
    tcp.set_destination(PORTS.source);
    tcp.set_sequence(sequence);
    tcp.set_acknowledgement(acknowledged);
    tcp.set_data_offset(6);
    tcp.set_flags(flags);
    bytes
}

/// `body` in an IPv4 packet with `options` bytes of IP options.
fn ipv4(from: Ipv4Addr, protocol: IpNextHeaderProtocol, options: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1; 20 + usize::from(options)];
    bytes.extend_from_slice(body);
    let total = u16::try_from(bytes.len()).unwrap();
    let mut header = MutableIpv4Packet::new(&mut bytes).unwrap();
    header.set_version(4);
    header.set_header_length(5 + options / 4);
    header.set_total_length(total);
    header.set_flags(Ipv4Flags::DontFragment);
    header.set_fragment_offset(0);
    header.set_ttl(57);
    header.set_next_level_protocol(protocol);
    header.set_source(from);
    header.set_destination(US);
    bytes
}

fn icmp(kind: u8, code: u8, quote: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(quote);
    bytes
}

fn syn_ack(sequence: u32, acknowledged: u32) -> Vec<u8> {
    let body = segment(TcpFlags::SYN | TcpFlags::ACK, sequence, acknowledged);
    ipv4(TARGET, IpNextHeaderProtocols::Tcp, 0, &body)
}

fn unreachable(code: u8, quote: &[u8]) -> Vec<u8> {
    ipv4(
        ROUTER,
        IpNextHeaderProtocols::Icmp,
        0,
        &icmp(3, code, quote),
    )
}

#[test]
fn a_syn_ack_is_read() {
    let expected = Reply {
        flow: FLOW,
        ttl: Some(57),
        answer: Answer::SynAck {
            sequence: 5,
            acknowledged: 6,
        },
    };
    assert_eq!(parse_ipv4(&syn_ack(5, 6)), Ok(expected));
    let body = segment(TcpFlags::SYN | TcpFlags::ACK | TcpFlags::ECE, 5, 6);
    for options in [4, 8, 40] {
        let packet = ipv4(TARGET, IpNextHeaderProtocols::Tcp, options, &body);
        assert_eq!(
            parse_ipv4(&packet),
            Ok(expected),
            "{options} bytes of options"
        );
    }
    let mut padded = syn_ack(5, 6);
    padded.extend_from_slice(&[0; 6]);
    assert_eq!(parse_ipv4(&padded), Ok(expected), "Ethernet padding");
}

#[test]
fn a_rst_is_read_with_and_without_ack() {
    for flags in [TcpFlags::RST, TcpFlags::RST | TcpFlags::ACK] {
        let packet = ipv4(TARGET, IpNextHeaderProtocols::Tcp, 0, &segment(flags, 0, 9));
        let answer = Answer::Rst {
            sequence: 0,
            acknowledged: 9,
        };
        assert_eq!(parse_ipv4(&packet).unwrap().answer, answer);
        let v6 = parse_tcp_ipv6(TARGET6, US6, Some(63), &segment(flags, 0, 9)).unwrap();
        assert_eq!(v6.answer, answer);
        assert_eq!(v6.ttl, Some(63));
        assert_eq!(v6.flow.ports, PORTS);
        assert_eq!(v6.flow.addresses.source(), US6);
        assert_eq!(v6.flow.addresses.destination(), TARGET6);
    }
}

#[test]
fn other_flags_never_answer_a_syn() {
    let all = 0..=u8::MAX;
    let (syn, ack, rst) = (TcpFlags::SYN, TcpFlags::ACK, TcpFlags::RST);
    for flags in all {
        let packet = ipv4(TARGET, IpNextHeaderProtocols::Tcp, 0, &segment(flags, 0, 0));
        let meaning = flags & (syn | ack | rst | TcpFlags::FIN);
        let expected = [syn | ack, rst, rst | ack].contains(&meaning);
        assert_eq!(parse_ipv4(&packet).is_ok(), expected, "flags {flags:#010b}");
    }
    // Loopback shows us our own probe.
    let own = syn_ipv4(PAIR, PORTS, 1, 2);
    assert_eq!(parse_ipv4(&own), Err(Refusal::Unrelated));
}

#[test]
fn icmp_unreachable_is_read_through_its_quote() {
    let probe = syn_ipv4(PAIR, PORTS, 0xdead_beef, 1);
    for code in [0, 1, 3, 9, 10, 13] {
        let expected = Reply {
            flow: FLOW,
            ttl: Some(57),
            answer: Answer::Unreachable {
                reporter: IpAddr::V4(ROUTER),
                code,
                sequence: 0xdead_beef,
            },
        };
        // RFC 792 quotes the header and 8 bytes; RFC 1812 as much as fits.
        for quoted in [28, 40, 60] {
            assert_eq!(
                parse_ipv4(&unreachable(code, &probe[..quoted])),
                Ok(expected)
            );
        }
    }
    let mtu = unreachable(FRAGMENTATION_NEEDED, &probe);
    assert_eq!(parse_ipv4(&mtu), Err(Refusal::Unrelated));
    let exceeded = ipv4(ROUTER, IpNextHeaderProtocols::Icmp, 0, &icmp(11, 0, &probe));
    assert_eq!(parse_ipv4(&exceeded), Err(Refusal::Unrelated));
    assert_eq!(
        parse_ipv4(&unreachable(1, &probe[..27])),
        Err(Refusal::Truncated("quoted TCP"))
    );
}

#[test]
fn icmpv6_unreachable_is_read_through_its_quote() {
    let pair = Pair {
        source: US6,
        destination: TARGET6,
    };
    let flow = Flow {
        addresses: Addresses::V6(pair),
        ports: PORTS,
    };
    let mut quote = vec![0x60, 0, 0, 0, 0, 40, 6, 64];
    quote.extend_from_slice(&US6.octets());
    quote.extend_from_slice(&TARGET6.octets());
    quote.extend_from_slice(&syn_segment(&flow, 77, 1));
    let read = parse_icmp_ipv6(TARGET6, None, &icmp(1, 4, &quote)).unwrap();
    assert_eq!(read.flow, flow);
    assert_eq!(
        read.answer,
        Answer::Unreachable {
            reporter: IpAddr::V6(TARGET6),
            code: 4,
            sequence: 77
        }
    );
    let too_big = icmp(2, 0, &quote);
    assert_eq!(
        parse_icmp_ipv6(TARGET6, None, &too_big),
        Err(Refusal::Unrelated)
    );
    quote[6] = 17;
    let udp = icmp(1, 4, &quote);
    assert_eq!(
        parse_icmp_ipv6(TARGET6, None, &udp),
        Err(Refusal::Unrelated)
    );
}

#[test]
fn malformed_packets_are_refused_with_the_reason() {
    let patched = |at: usize, value: u8| {
        let mut packet = syn_ack(1, 2);
        packet[at] = value;
        parse_ipv4(&packet)
    };
    assert_eq!(
        patched(0, 0x65),
        Err(Refusal::BadLength("IPv4")),
        "version 6"
    );
    assert_eq!(
        patched(0, 0x44),
        Err(Refusal::BadLength("IPv4")),
        "header of 16"
    );
    assert_eq!(
        patched(0, 0x4f),
        Err(Refusal::BadLength("IPv4")),
        "header of 60"
    );
    assert_eq!(
        patched(3, 19),
        Err(Refusal::BadLength("IPv4")),
        "total of 19"
    );
    assert_eq!(
        patched(2, 0xff),
        Err(Refusal::Truncated("IPv4")),
        "total of 65 k"
    );
    assert_eq!(
        patched(3, 39),
        Err(Refusal::Truncated("TCP")),
        "total of 39"
    );
    assert_eq!(patched(6, 0x20), Err(Refusal::Fragment), "more fragments");
    assert_eq!(
        patched(7, 0x01),
        Err(Refusal::Fragment),
        "fragment offset 8"
    );
    assert_eq!(patched(9, 17), Err(Refusal::Unrelated), "UDP");
    assert_eq!(
        patched(32, 0x40),
        Err(Refusal::BadLength("TCP")),
        "data offset 4"
    );
    assert_eq!(
        patched(32, 0x70),
        Err(Refusal::BadLength("TCP")),
        "data offset 7"
    );
}

#[test]
fn every_prefix_of_a_good_packet_is_refused() {
    let probe = syn_ipv4(PAIR, PORTS, 3, 1);
    for packet in [syn_ack(1, 2), unreachable(1, &probe[..28])] {
        assert!(parse_ipv4(&packet).is_ok());
        for length in 0..packet.len() {
            assert!(parse_ipv4(&packet[..length]).is_err(), "cut to {length}");
        }
    }
    let tcp = segment(TcpFlags::RST, 1, 2);
    for length in 0..tcp.len() {
        assert!(parse_tcp_ipv6(TARGET6, US6, None, &tcp[..length]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = parse_ipv4(&bytes);
        let _ = parse_tcp_ipv6(TARGET6, US6, None, &bytes);
        let _ = parse_icmp_ipv6(TARGET6, None, &bytes);
    }

    #[test]
    fn no_damage_to_a_good_packet_makes_it_panic(
        which in 0_usize..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: prop::sample::Index,
    ) {
        let probe = syn_ipv4(PAIR, PORTS, 3, 1);
        let mut quote6 = vec![0x60, 0, 0, 0, 0, 40, 6, 64];
        quote6.extend_from_slice(&[US6.octets(), TARGET6.octets()].concat());
        quote6.extend_from_slice(&probe[20..]);
        let mut packet = [syn_ack(1, 2), unreachable(1, &probe), icmp(1, 4, &quote6)][which].clone();
        for (at, value) in damage {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        packet.truncate(cut.index(packet.len() + 1));
        let _ = parse_ipv4(&packet);
        let _ = parse_icmp_ipv6(TARGET6, None, &packet);
    }

    #[test]
    fn a_reply_reads_back_as_it_was_built(
        from: Ipv4Addr, sequence: u32, acknowledged: u32, ack_only in any::<bool>(),
    ) {
        let flags = if ack_only { TcpFlags::SYN | TcpFlags::ACK } else { TcpFlags::RST };
        let packet = ipv4(from, IpNextHeaderProtocols::Tcp, 0, &segment(flags, sequence, acknowledged));
        let reply = parse_ipv4(&packet).unwrap();
        prop_assert_eq!(reply.flow.addresses.destination(), IpAddr::V4(from));
        let (Answer::SynAck { sequence: s, acknowledged: a } | Answer::Rst { sequence: s, acknowledged: a })
            = reply.answer else { panic!("not a TCP answer") };
        prop_assert_eq!((s, a), (sequence, acknowledged));
    }
}
