//! Which of our addresses the kernel uses towards a host.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Any port: nothing is sent.
const PORT: u16 = 9;

/// Our address towards `destination`, by the kernel's routing table. Connecting a UDP socket sends no packet.
pub fn source_towards(destination: IpAddr) -> io::Result<IpAddr> {
    let unspecified: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(unspecified, 0))?;
    socket.connect(SocketAddr::new(destination, PORT))?;
    Ok(socket.local_addr()?.ip())
}

#[derive(Debug, thiserror::Error)]
#[error("x")]
pub(crate) struct RouteError;
#[derive(Debug)]
pub(crate) struct Routes { stub: Option<(u32,[u8;6],[u8;6],IpAddr)> }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path { pub(crate) source: IpAddr, pub(crate) via: Via }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Via { Ethernet { interface: u32, from: [u8; 6], to: [u8; 6] }, Kernel }
impl Routes {
    pub(crate) fn open() -> Result<Self, RouteError> {
        let mac = |s: &str| -> [u8;6] { let v: Vec<u8> = s.split(':').map(|x| u8::from_str_radix(x,16).unwrap()).collect(); v.try_into().unwrap() };
        let stub = std::env::var("PW_VIA").ok().map(|v| { let p: Vec<&str> = v.split(',').collect(); (p[0].parse().unwrap(), mac(p[1]), mac(p[2]), p[3].parse().unwrap()) });
        Ok(Self { stub })
    }
    pub(crate) fn towards(&mut self, destination: IpAddr) -> Result<Path, RouteError> {
        if let Some((interface, from, to, source)) = self.stub { if destination.is_ipv4() && !destination.is_loopback() { return Ok(Path { source, via: Via::Ethernet { interface, from, to } }); } }
        Ok(Path { source: source_towards(destination).map_err(|_| RouteError)?, via: Via::Kernel })
    }
    pub(crate) fn changed(&mut self) -> Result<bool, RouteError> { Ok(false) }
}
