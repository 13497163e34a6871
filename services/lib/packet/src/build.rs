//! Building probes: TCP SYN segments (RFC 9293), alone or in an IPv4 packet (RFC 791).
//!
//! The segment carries what an ordinary client sends (MSS, SACK permitted, timestamps, window scale), because
//! many stacks and middleboxes answer a bare SYN less often. Only SYNs are built: the RST that takes back a
//! half-open connection is left to the kernel, which sends it when nothing listens on the source port.

use std::net::Ipv4Addr;

use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{self, Ipv4Flags, MutableIpv4Packet};
use pnet::packet::tcp::{self, MutableTcpPacket, TcpFlags};

use crate::flow::{Addresses, Flow, Pair, Ports};

/// Bytes of a SYN segment: a 20-byte header and 20 bytes of options.
pub const SYN_SEGMENT_LEN: usize = 40;
/// Bytes of a SYN in an IPv4 packet.
pub const SYN_IPV4_LEN: usize = IPV4_HEADER_LEN + SYN_SEGMENT_LEN;

const IPV4_HEADER_LEN: usize = 20;
const OPTIONS_LEN: usize = 20;
/// What a Linux client announces.
const WINDOW: u16 = 64_240;
const WINDOW_SCALE: u8 = 7;
const TTL: u8 = 64;
/// Ethernet's 1500 bytes less the headers of each family.
const MSS_IPV4: u16 = 1460;
const MSS_IPV6: u16 = 1440;

/// A TCP SYN for `flow`, with its checksum over the pseudo-header of the flow's family (RFC 9293 section 3.1,
/// RFC 8200 section 8.1). `timestamp` is the `TSval` of RFC 7323; the target echoes it.
pub fn syn_segment(flow: &Flow, sequence: u32, timestamp: u32) -> [u8; SYN_SEGMENT_LEN] {
    let mss = match flow.addresses {
        Addresses::V4(_) => MSS_IPV4,
        Addresses::V6(_) => MSS_IPV6,
    };
    let mut segment = [0; SYN_SEGMENT_LEN];
    let Some(mut syn) = MutableTcpPacket::new(&mut segment) else {
        unreachable!("a SYN segment is longer than a TCP header")
    };
    syn.set_source(flow.ports.source);
    syn.set_destination(flow.ports.destination);
    syn.set_sequence(sequence);
    syn.set_data_offset(10);
    syn.set_flags(TcpFlags::SYN);
    syn.set_window(WINDOW);
    syn.get_options_raw_mut()
        .copy_from_slice(&client_options(mss, timestamp));
    let checksum = match flow.addresses {
        Addresses::V4(Pair {
            source,
            destination,
        }) => tcp::ipv4_checksum(&syn.to_immutable(), &source, &destination),
        Addresses::V6(Pair {
            source,
            destination,
        }) => tcp::ipv6_checksum(&syn.to_immutable(), &source, &destination),
    };
    syn.set_checksum(checksum);
    segment
}

/// The same SYN in a whole IPv4 packet, for sockets that take the header from us (`IP_HDRINCL`) and for
/// frames. *Don't fragment* is set, as clients do, so identification zero is allowed (RFC 6864).
pub fn syn_ipv4(
    addresses: Pair<Ipv4Addr>,
    ports: Ports,
    sequence: u32,
    timestamp: u32,
) -> [u8; SYN_IPV4_LEN] {
    let mut packet = [0; SYN_IPV4_LEN];
    let flow = Flow {
        addresses: Addresses::V4(addresses),
        ports,
    };
    packet[IPV4_HEADER_LEN..].copy_from_slice(&syn_segment(&flow, sequence, timestamp));
    let Some(mut header) = MutableIpv4Packet::new(&mut packet) else {
        unreachable!("the packet is longer than an IPv4 header")
    };
    header.set_version(4);
    header.set_header_length(5);
    header.set_total_length(60);
    header.set_flags(Ipv4Flags::DontFragment);
    header.set_ttl(TTL);
    header.set_next_level_protocol(IpNextHeaderProtocols::Tcp);
    header.set_source(addresses.source);
    header.set_destination(addresses.destination);
    header.set_checksum(ipv4::checksum(&header.to_immutable()));
    packet
}

/// The options of a client's SYN in the order in which Linux writes them.
fn client_options(mss: u16, timestamp: u32) -> [u8; OPTIONS_LEN] {
    let [mss_high, mss_low] = mss.to_be_bytes();
    let [t0, t1, t2, t3] = timestamp.to_be_bytes();
    let nop = 1;
    [
        2,
        4,
        mss_high,
        mss_low, // maximum segment size
        4,
        2, // SACK permitted
        8,
        10,
        t0,
        t1,
        t2,
        t3,
        0,
        0,
        0,
        0, // timestamps, nothing to echo yet
        nop,
        3,
        3,
        WINDOW_SCALE,
    ]
}

#[cfg(test)]
mod tests;
