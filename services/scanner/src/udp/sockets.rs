//! The wire of ordinary UDP sockets: for each family that is scanned, one socket for each lane. None is connected,
//! so that one serves all hosts; the kernel chooses the ports and holds them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::wire::{Event, LANES, Probe, Rejection};
use crate::drive::Carrier;
use crate::error_queue::{self, Ancillary, Message};
use crate::wire::WireError;

/// Room for what comes in while this thread does something else; the kernel may give less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// As much of a datagram as is looked at.
const LOOKED_AT: usize = 2048;
/// A socket reports the rejection of an earlier probe instead of sending the next, once for each: so often a
/// refusal is taken for such a report.
const REPORTS: usize = 8;
/// How many messages are taken from one socket before the others have their turn.
const TURN: usize = 256;

/// One socket.
#[derive(Debug)]
struct Lane {
    socket: Socket,
    number: u8,
    port: u16,
}

/// The sockets of one scan.
#[derive(Debug)]
pub(super) struct UdpSockets {
    lanes: [Vec<Lane>; 2],
    buffer: Vec<u8>,
    /// What was learnt while sending.
    events: Vec<Event>,
}

impl UdpSockets {
    /// Opens the sockets for the families of these hosts. Hosts of a family that this machine has not are told to
    /// be blocked.
    pub(super) fn open(hosts: impl IntoIterator<Item = IpAddr>) -> Result<Self, WireError> {
        let mut wanted = [false; 2];
        for host in hosts {
            wanted[usize::from(host.is_ipv6())] = true;
        }
        let mut sockets = Self {
            lanes: [Vec::new(), Vec::new()],
            buffer: vec![0; LOOKED_AT],
            events: Vec::new(),
        };
        let families = [
            (Domain::IPV4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
        ];
        for (family, (domain, any)) in families.into_iter().enumerate() {
            for lane in (0..LANES).filter(|_| wanted[family]) {
                match open(domain, any, lane) {
                    Ok(lane) => sockets.lanes[family].push(lane),
                    Err(error) if has_no_family(&error) => break,
                    Err(source) => {
                        let attempted = format!("open a UDP socket on {any}");
                        return Err(WireError { attempted, source });
                    }
                }
            }
        }
        Ok(sockets)
    }

    /// Sends one probe; `None` if the kernel has no room for it.
    fn send_one(&mut self, probe: &Probe) -> Result<Option<()>, WireError> {
        let lanes = &self.lanes[usize::from(probe.to.is_ipv6())];
        let Some(lane) = lanes.get(usize::from(probe.lane)) else {
            self.events.push(Event::Blocked { to: probe.to });
            return Ok(Some(()));
        };
        for _ in 0..REPORTS {
            let Err(error) = lane.socket.send_to(&probe.payload, &probe.to.into()) else {
                return Ok(Some(()));
            };
            match error.raw_os_error() {
                Some(libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM) => return Ok(None),
                _ if is_about_a_probe(&error) => {}
                _ => {
                    let attempted = format!("send a UDP probe to {}", probe.to);
                    let source = error;
                    return Err(WireError { attempted, source });
                }
            }
        }
        self.events.push(Event::Blocked { to: probe.to });
        Ok(Some(()))
    }
}

impl Carrier<Probe, Event> for UdpSockets {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        for (taken, probe) in probes.iter().enumerate() {
            if self.send_one(probe)?.is_none() {
                return Ok(taken);
            }
        }
        Ok(probes.len())
    }

    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError> {
        let wait = if self.events.is_empty() {
            wait
        } else {
            Duration::ZERO
        };
        let lanes: Vec<&Lane> = self.lanes.iter().flatten().collect();
        let sockets: Vec<&Socket> = lanes.iter().map(|lane| &lane.socket).collect();
        let ready = error_queue::wait(&sockets, wait).map_err(|source| WireError {
            attempted: "wait for answers on the UDP sockets".to_owned(),
            source,
        })?;
        events.append(&mut self.events);
        let ours: Vec<u16> = lanes.iter().map(|lane| lane.port).collect();
        for (lane, _) in lanes.iter().zip(ready).filter(|(_, ready)| *ready) {
            lane.drain(&mut self.buffer, &ours, events)
                .map_err(|source| WireError {
                    attempted: "receive from a UDP socket".to_owned(),
                    source,
                })?;
        }
        Ok(())
    }
}

impl Lane {
    /// Takes what has come: first rejections, which also clears the socket's error, then answers.
    fn drain(&self, buffer: &mut [u8], ours: &[u16], events: &mut Vec<Event>) -> io::Result<()> {
        for _ in 0..TURN {
            let Some(message) = error_queue::receive_error(&self.socket, buffer)? else {
                break;
            };
            events.extend(self.rejection(&message, buffer));
        }
        for _ in 0..TURN {
            match error_queue::receive(&self.socket, buffer) {
                Ok(None) => break,
                Ok(Some(message)) => events.extend(self.reply(&message, buffer, ours)),
                // The next rejection, which is in the error queue.
                Err(error) if is_about_a_probe(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn rejection(&self, message: &Message, buffer: &[u8]) -> Option<Event> {
        let error = message.ancillary.error?;
        if !error.is_icmp() {
            return None;
        }
        Some(Event::Rejected(Rejection {
            to: message.address?,
            lane: self.number,
            by: error.offender?,
            kind: error.kind,
            code: error.code,
            ttl: message.ancillary.ttl,
            quoted: buffer[..message.length].to_vec(),
        }))
    }

    fn reply(&self, message: &Message, buffer: &[u8], ours: &[u16]) -> Option<Event> {
        let from = message.address?;
        let Ancillary { ttl, to, .. } = message.ancillary;
        // A probe of this machine's own ports has come to one of these sockets: that is no answer.
        let is_our_own = from.ip().is_loopback() || to == Some(from.ip());
        if is_our_own && ours.contains(&from.port()) {
            return None;
        }
        Some(Event::Reply {
            from,
            lane: self.number,
            ttl,
            payload: buffer[..message.length].to_vec(),
        })
    }
}

fn open(domain: Domain, any: IpAddr, number: u8) -> io::Result<Lane> {
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    error_queue::keep_errors(&socket, domain == Domain::IPV6)?;
    error_queue::tell_details(&socket, domain == Domain::IPV6)?;
    // Whatever the kernel permits will do.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&SocketAddr::new(any, 0).into())?;
    let port = socket.local_addr()?.as_socket().map_or(0, |own| own.port());
    Ok(Lane {
        socket,
        number,
        port,
    })
}

fn has_no_family(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    )
}

/// Whether an error says something of a probe, this one or one before, and nothing of the socket: an ICMP error's
/// number, or a refusal by this machine's routes or filters.
fn is_about_a_probe(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EPROTO
                | libc::EMSGSIZE
                | libc::EOPNOTSUPP
                | libc::ENONET
                | libc::EACCES
                | libc::EPERM
                | libc::EADDRNOTAVAIL
                | libc::EINVAL
                | libc::EINTR
        )
    )
}
