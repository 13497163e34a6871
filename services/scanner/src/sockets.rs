//! The wire of raw IP sockets: the kernel routes, which serves every destination, loopback and tunnels included.

mod filter;
mod raw_ipv4;
mod raw_ipv6;
mod receiver;
mod syscalls;

use std::io;
use std::net::SocketAddrV6;
use std::time::Duration;

use portwatch_packet::Addresses;

pub(crate) use filter::PortRange;

use crate::wire::{Event, Probe, Wire, WireError};
use raw_ipv4::RawIpv4;
use raw_ipv6::RawIpv6;

/// Raw sockets of both families. They are opened once and used by one scan after another.
#[derive(Debug)]
pub(crate) struct RawSockets {
    ipv4: RawIpv4,
    /// `None` where the kernel has no IPv6.
    ipv6: Option<RawIpv6>,
    /// What was learnt while sending.
    events: Vec<Event>,
}

impl RawSockets {
    /// Opens them. Needs `CAP_NET_RAW`.
    pub(crate) fn open() -> Result<Self, WireError> {
        let ipv4 = RawIpv4::open()?;
        let ipv6 = match RawIpv6::open() {
            Ok(sockets) => Some(sockets),
            Err(error) if error.source.raw_os_error() == Some(libc::EAFNOSUPPORT) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            ipv4,
            ipv6,
            events: Vec::new(),
        })
    }

    /// Hears answers to these source ports only; none without a range.
    pub(crate) fn listen(&mut self, ports: Option<PortRange>) -> Result<(), WireError> {
        self.events.clear();
        self.ipv4.listen(ports)?;
        self.ipv6.as_mut().map_or(Ok(()), |ipv6| ipv6.listen(ports))
    }

    fn send_one(&self, probe: &Probe) -> io::Result<()> {
        // The timestamp is echoed and not looked at; a cookie's other half looks like a client's random offset.
        let timestamp = probe.sequence.rotate_left(16);
        match probe.flow.addresses {
            Addresses::V4(pair) => {
                self.ipv4
                    .send(pair, probe.flow.ports, probe.sequence, timestamp)
            }
            Addresses::V6(pair) => match &self.ipv6 {
                Some(ipv6) => {
                    let to = SocketAddrV6::new(pair.destination, 0, 0, 0);
                    ipv6.send(&probe.flow, to, probe.sequence, timestamp)
                }
                None => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
            },
        }
    }
}

impl Wire for RawSockets {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        for (taken, probe) in probes.iter().enumerate() {
            match self.send_one(probe).map_err(|error| (fault(&error), error)) {
                Ok(()) => {}
                Err((Fault::Full, _)) => return Ok(taken),
                Err((Fault::Refused, _)) => self.events.push(Event::Blocked(probe.flow)),
                Err((Fault::Broken, source)) => {
                    let attempted =
                        format!("send a probe to {}", probe.flow.addresses.destination());
                    return Err(WireError { attempted, source });
                }
            }
        }
        Ok(probes.len())
    }

    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError> {
        let mut sockets = self.ipv4.sockets().to_vec();
        if let Some(ipv6) = &self.ipv6 {
            sockets.extend(ipv6.sockets());
        }
        let wait = if self.events.is_empty() {
            wait
        } else {
            Duration::ZERO
        };
        syscalls::wait(&sockets, wait).map_err(|source| WireError {
            attempted: "wait for answers on the raw sockets".to_owned(),
            source,
        })?;
        events.append(&mut self.events);
        self.ipv4.drain(events)?;
        self.ipv6.as_mut().map_or(Ok(()), |ipv6| ipv6.drain(events))
    }
}

/// What it means that a packet was not taken.
enum Fault {
    /// The queue is full: try again soon.
    Full,
    /// This machine will not send it: a firewall rule, a route, an address that is not allowed.
    Refused,
    /// The socket is of no use any more.
    Broken,
}

fn fault(error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM | libc::EINTR) => Fault::Full,
        Some(
            libc::EPERM
            | libc::EACCES
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::ENETDOWN
            | libc::EADDRNOTAVAIL
            | libc::EAFNOSUPPORT
            | libc::EINVAL
            | libc::EMSGSIZE,
        ) => Fault::Refused,
        _ => Fault::Broken,
    }
}

#[cfg(test)]
mod tests;
