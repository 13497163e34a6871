//! The source ports of a scan, held by sockets that are bound and do not listen.
//!
//! Holding them keeps every other program away from them. When a SYN-ACK arrives at a port on which nothing
//! listens, the kernel sends the RST that takes the half-open connection back: without it, the target would
//! keep the connection, and would not answer the next scan.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thiserror::Error;

use crate::engine::SOURCE_PORTS;
use crate::sockets::PortRange;

/// Where they are taken from.
const FIRST: u16 = 33_000;
const LAST: u16 = 60_000;
/// How many places are tried.
const TRIES: u32 = 64;

/// The ports cannot be had.
#[derive(Debug, Error)]
pub enum SourcePortsError {
    /// The kernel has no random numbers.
    #[error("cannot draw a source port")]
    Random(#[source] getrandom::Error),
    /// No free run of ports was found.
    #[error("cannot find {SOURCE_PORTS} free source ports in a row between {FIRST} and {LAST}")]
    Taken(#[source] std::io::Error),
}

/// Consecutive ports of both families, free again when dropped.
#[derive(Debug)]
pub(crate) struct SourcePorts {
    range: PortRange,
    _held: Vec<Socket>,
}

impl SourcePorts {
    /// Takes a random run of free ports, so that two scans seldom use the same ports towards the same host.
    pub(crate) fn hold() -> Result<Self, SourcePortsError> {
        let places = u32::from(LAST - SOURCE_PORTS - FIRST);
        let mut refused = None;
        for _ in 0..TRIES {
            let place = getrandom::u32().map_err(SourcePortsError::Random)? % places;
            let first = FIRST + u16::try_from(place).unwrap_or_default();
            match bind_all(first) {
                Ok(held) => {
                    let last = first + SOURCE_PORTS - 1;
                    let range = PortRange { first, last };
                    return Ok(Self { range, _held: held });
                }
                Err(error) => refused = Some(error),
            }
        }
        let error = refused.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
        Err(SourcePortsError::Taken(error))
    }

    pub(crate) fn range(&self) -> PortRange {
        self.range
    }
}

fn bind_all(first: u16) -> std::io::Result<Vec<Socket>> {
    let mut held = Vec::new();
    for port in first..first + SOURCE_PORTS {
        held.push(bind(
            Domain::IPV4,
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        )?);
        match bind(
            Domain::IPV6,
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        ) {
            Ok(socket) => held.push(socket),
            // Without IPv6 there is nothing to hold.
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(held)
}

fn bind(domain: Domain, address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}
