//! Requests to rtnetlink (rtnetlink(7)).

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, Emitable as _};

use super::message::{INET, INET6, LINK_HEADER, SHORT_HEADER, UNSPEC};

/// The request for a whole table. Of one family, or of all.
pub(super) fn table(family: Option<&IpAddr>) -> [u8; LINK_HEADER] {
    let mut body = [0; LINK_HEADER];
    body[0] = family.map_or(UNSPEC, number_of_family);
    body
}

fn number_of_family(address: &IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

/// The question for the route to an address, of packets with this source if any.
pub(super) fn route(destination: IpAddr, source: Option<IpAddr>) -> Vec<u8> {
    let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut body = vec![0; SHORT_HEADER];
    body[0] = number_of_family(&destination);
    body[1] = bits(destination);
    body[2] = source.map_or(0, bits);
    let destination = Some((libc::RTA_DST, destination));
    let source = source.map(|source| (libc::RTA_SRC, source));
    for (kind, address) in destination.into_iter().chain(source) {
        let attribute = DefaultNla::new(kind, octets(address));
        let at = body.len();
        body.resize(at + attribute.buffer_len(), 0);
        attribute.emit(&mut body[at..]);
    }
    body
}
