//! Reading and building the frames of simulated hosts.

use std::net::{IpAddr, Ipv4Addr};

use pnet_packet::MutablePacket as _;
use pnet_packet::arp::{ArpOperations, ArpPacket, MutableArpPacket};
use pnet_packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet_packet::icmp::{IcmpPacket, MutableIcmpPacket};
use pnet_packet::icmpv6::ndp::{
    MutableNdpOptionPacket, MutableNeighborAdvertPacket, NdpOptionTypes, NeighborSolicitPacket,
};
use pnet_packet::icmpv6::{Icmpv6Packet, Icmpv6Types, MutableIcmpv6Packet};
use pnet_packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet_packet::ipv4::{Ipv4Packet, MutableIpv4Packet};
use pnet_packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet_packet::tcp::{MutableTcpPacket, TcpFlags, TcpOption, TcpPacket};

use super::scenario::Unreachable;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TTL: u8 = 64;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// What matters of a frame that came from the scanner.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// Who has this address? With who asks, and its address.
    WhoHas(IpAddr, Mac, IpAddr),
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// Another IP packet, to this address.
    Ip(IpAddr),
    /// Anything else.
    Other,
}

/// A TCP segment from the scanner.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The scanner's Ethernet address, and that to which it was sent.
    pub link: (Mac, Mac),
    /// The scanner.
    pub from: (IpAddr, u16),
    /// The simulated port.
    pub to: (IpAddr, u16),
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Length of the data.
    pub data: u32,
    /// From the IP header on.
    pub packet: &'a [u8],
}

impl Segment<'_> {
    /// Whether it asks for a connection.
    pub const fn is_syn(&self) -> bool {
        self.flags & (TcpFlags::SYN | TcpFlags::ACK | TcpFlags::RST) == TcpFlags::SYN
    }
}

/// A TCP segment from a simulated host.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// From where.
    pub from: (IpAddr, u16),
    /// To where.
    pub to: (IpAddr, u16),
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
}

/// Reads a frame; `ethernet` is false on tun devices.
pub fn read(frame: &[u8], ethernet: bool) -> Seen<'_> {
    if !ethernet {
        let none = ([0; 6], [0; 6]);
        return read_ip(frame, none).unwrap_or(Seen::Other);
    }
    let Some(ether) = EthernetPacket::new(frame) else {
        return Seen::Other;
    };
    let link = (
        ether.get_source().octets(),
        ether.get_destination().octets(),
    );
    let seen = match ether.get_ethertype() {
        EtherTypes::Arp => read_arp(&frame[ETHERNET..]),
        EtherTypes::Ipv4 | EtherTypes::Ipv6 => read_ip(&frame[ETHERNET..], link),
        _ => None,
    };
    seen.unwrap_or(Seen::Other)
}

fn read_arp(packet: &[u8]) -> Option<Seen<'_>> {
    let arp = ArpPacket::new(packet)?;
    let asks = arp.get_operation() == ArpOperations::Request;
    let wanted = arp.get_target_proto_addr().into();
    let (mac, ip) = (
        arp.get_sender_hw_addr().octets(),
        arp.get_sender_proto_addr().into(),
    );
    asks.then_some(Seen::WhoHas(wanted, mac, ip))
}

fn read_ip(packet: &[u8], link: (Mac, Mac)) -> Option<Seen<'_>> {
    let (from, to, protocol, header): (IpAddr, IpAddr, _, _) = match packet.first()? >> 4 {
        4 => {
            let ip = Ipv4Packet::new(packet)?;
            let header = usize::from(ip.get_header_length()) * 4;
            let (from, to) = (ip.get_source().into(), ip.get_destination().into());
            (from, to, ip.get_next_level_protocol(), header)
        }
        6 => {
            let ip = Ipv6Packet::new(packet)?;
            let (from, to) = (ip.get_source().into(), ip.get_destination().into());
            (from, to, ip.get_next_header(), IPV6)
        }
        _ => return None,
    };
    let inner = packet.get(header..)?;
    match protocol {
        IpNextHeaderProtocols::Tcp => {
            let tcp = TcpPacket::new(inner)?;
            let data = inner
                .len()
                .saturating_sub(usize::from(tcp.get_data_offset()) * 4);
            Some(Seen::Tcp(Segment {
                link,
                from: (from, tcp.get_source()),
                to: (to, tcp.get_destination()),
                seq: tcp.get_sequence(),
                ack: tcp.get_acknowledgement(),
                flags: tcp.get_flags(),
                data: u32::try_from(data).ok()?,
                packet,
            }))
        }
        IpNextHeaderProtocols::Icmpv6 if !from.is_unspecified() => {
            let ask = NeighborSolicitPacket::new(inner)?;
            if ask.get_icmpv6_type() != Icmpv6Types::NeighborSolicit {
                return Some(Seen::Ip(to));
            }
            Some(Seen::WhoHas(ask.get_target_addr().into(), link.0, from))
        }
        _ => Some(Seen::Ip(to)),
    }
}

/// An ARP reply or neighbour advertisement: `ip` is at `mac`.
pub fn is_at(ip: IpAddr, mac: Mac, to: (Mac, IpAddr)) -> Option<Vec<u8>> {
    match (ip, to.1) {
        (IpAddr::V4(ip), IpAddr::V4(asker)) => {
            let mut frame = ethernet(
                (mac, to.0),
                EtherTypes::Arp.0,
                ArpPacket::minimum_packet_size(),
            );
            let mut arp = MutableArpPacket::new(&mut frame[ETHERNET..])?;
            arp.set_hardware_type(pnet_packet::arp::ArpHardwareTypes::Ethernet);
            arp.set_protocol_type(EtherTypes::Ipv4);
            arp.set_hw_addr_len(6);
            arp.set_proto_addr_len(4);
            arp.set_operation(ArpOperations::Reply);
            arp.set_sender_hw_addr(mac.into());
            arp.set_sender_proto_addr(ip);
            arp.set_target_hw_addr(to.0.into());
            arp.set_target_proto_addr(asker);
            Some(frame)
        }
        (IpAddr::V6(target), IpAddr::V6(_)) => {
            let mut advert = vec![0; 32];
            let mut packet = MutableNeighborAdvertPacket::new(&mut advert)?;
            packet.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
            packet.set_flags(
                pnet_packet::icmpv6::ndp::NeighborAdvertFlags::Solicited
                    | pnet_packet::icmpv6::ndp::NeighborAdvertFlags::Override,
            );
            packet.set_target_addr(target);
            let mut option = MutableNdpOptionPacket::new(&mut advert[24..])?;
            option.set_option_type(NdpOptionTypes::TargetLLAddr);
            option.set_length(1);
            option.payload_mut()[..6].copy_from_slice(&mac);
            icmp((mac, to.0), (ip, to.1), 255, &advert)
        }
        _ => None,
    }
}

/// A TCP segment in a frame.
pub fn tcp(link: (Mac, Mac), answer: Answer) -> Option<Vec<u8>> {
    let syn = answer.flags & TcpFlags::SYN != 0;
    let length = if syn { 24 } else { 20 };
    let mut frame = ip(
        link,
        (answer.from.0, answer.to.0),
        IpNextHeaderProtocols::Tcp,
        TTL,
        length,
    )?;
    let start = frame.len() - length;
    let mut tcp = MutableTcpPacket::new(&mut frame[start..])?;
    tcp.set_source(answer.from.1);
    tcp.set_destination(answer.to.1);
    tcp.set_sequence(answer.seq);
    tcp.set_acknowledgement(answer.ack);
    tcp.set_flags(answer.flags);
    tcp.set_window(64_240);
    tcp.set_data_offset(if syn { 6 } else { 5 });
    if syn {
        tcp.set_options(&[TcpOption::mss(1440)]);
    }
    let checksum = match (answer.from.0, answer.to.0) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            pnet_packet::tcp::ipv4_checksum(&tcp.to_immutable(), &from, &to)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            pnet_packet::tcp::ipv6_checksum(&tcp.to_immutable(), &from, &to)
        }
        _ => return None,
    };
    tcp.set_checksum(checksum);
    Some(frame)
}

/// ICMP unreachable that quotes a packet.
pub fn unreachable(
    link: (Mac, Mac),
    (from, to): (IpAddr, IpAddr),
    code: Unreachable,
    quoted: &[u8],
) -> Option<Vec<u8>> {
    let (kind, code) = match (from.is_ipv4(), code) {
        (true, Unreachable::Net) => (3, 0),
        (true, Unreachable::Host) => (3, 1),
        (true, Unreachable::Port) => (3, 3),
        (true, Unreachable::Admin) => (3, 13),
        (false, Unreachable::Net) => (1, 0),
        (false, Unreachable::Admin) => (1, 1),
        (false, Unreachable::Host) => (1, 3),
        (false, Unreachable::Port) => (1, 4),
    };
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(quoted);
    icmp(link, (from, to), TTL, &message)
}

/// An ICMP message of either family in a frame; its checksum is filled in.
fn icmp(
    link: (Mac, Mac),
    (from, to): (IpAddr, IpAddr),
    hops: u8,
    message: &[u8],
) -> Option<Vec<u8>> {
    let protocol = match from {
        IpAddr::V4(_) => IpNextHeaderProtocols::Icmp,
        IpAddr::V6(_) => IpNextHeaderProtocols::Icmpv6,
    };
    let mut frame = ip(link, (from, to), protocol, hops, message.len())?;
    let start = frame.len() - message.len();
    let inner = &mut frame[start..];
    inner.copy_from_slice(message);
    match (from, to) {
        (IpAddr::V4(_), IpAddr::V4(_)) => {
            let checksum = pnet_packet::icmp::checksum(&IcmpPacket::new(inner)?);
            MutableIcmpPacket::new(inner)?.set_checksum(checksum);
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let checksum = pnet_packet::icmpv6::checksum(&Icmpv6Packet::new(inner)?, &from, &to);
            MutableIcmpv6Packet::new(inner)?.set_checksum(checksum);
        }
        _ => return None,
    }
    Some(frame)
}

fn ip(
    link: (Mac, Mac),
    ends: (IpAddr, IpAddr),
    protocol: IpNextHeaderProtocol,
    hops: u8,
    length: usize,
) -> Option<Vec<u8>> {
    match ends {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(link, (from, to), protocol, hops, length),
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut frame = ethernet(link, EtherTypes::Ipv6.0, IPV6 + length);
            let mut header = MutableIpv6Packet::new(&mut frame[ETHERNET..])?;
            header.set_version(6);
            header.set_payload_length(u16::try_from(length).ok()?);
            header.set_next_header(protocol);
            header.set_hop_limit(hops);
            header.set_source(from);
            header.set_destination(to);
            Some(frame)
        }
        _ => None,
    }
}

fn ipv4(
    link: (Mac, Mac),
    (from, to): (Ipv4Addr, Ipv4Addr),
    protocol: IpNextHeaderProtocol,
    hops: u8,
    length: usize,
) -> Option<Vec<u8>> {
    let mut frame = ethernet(link, EtherTypes::Ipv4.0, IPV4 + length);
    let mut header = MutableIpv4Packet::new(&mut frame[ETHERNET..])?;
    header.set_version(4);
    header.set_header_length(5);
    header.set_total_length(u16::try_from(IPV4 + length).ok()?);
    header.set_ttl(hops);
    header.set_next_level_protocol(protocol);
    header.set_source(from);
    header.set_destination(to);
    header.set_checksum(pnet_packet::ipv4::checksum(&header.to_immutable()));
    Some(frame)
}

fn ethernet((from, to): (Mac, Mac), kind: u16, length: usize) -> Vec<u8> {
    let mut frame = vec![0; ETHERNET + length];
    if let Some(mut header) = MutableEthernetPacket::new(&mut frame) {
        header.set_source(from.into());
        header.set_destination(to.into());
        header.set_ethertype(pnet_packet::ethernet::EtherType(kind));
    }
    frame
}

/// A quoted packet with one thing changed.
pub fn misquote(packet: &[u8], what: Misquote) -> Vec<u8> {
    let mut quoted = packet.to_vec();
    let (header, destination) = if packet.first().is_some_and(|first| first >> 4 == 4) {
        (IPV4, 16..20)
    } else {
        (IPV6, 24..40)
    };
    match what {
        Misquote::Sequence => quoted[header + 4] ^= 0x55,
        Misquote::SourcePort => quoted[header + 1] ^= 0x55,
        Misquote::Destination => quoted[destination.end - 1] ^= 0x55,
        Misquote::Short => quoted.truncate(header),
    }
    quoted
}

/// What is wrong in a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misquote {
    /// The sequence number.
    Sequence,
    /// The source port.
    SourcePort,
    /// The destination.
    Destination,
    /// All behind the IP header is missing.
    Short,
}

/// The Ethernet address of a simulated host or router.
pub fn mac(place: u8, number: u16) -> Mac {
    let [high, low] = number.to_be_bytes();
    [0x02, 0x6c, 0x61, place, high, low]
}
