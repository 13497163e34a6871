//! The wire of packets of our own making. Each goes the way that the kernel's routing table says: in an Ethernet
//! frame past the kernel's own stack where the next hop's hardware address is known, else through a raw IP socket,
//! which serves everything, loopback and tunnels included. Answers come in through one ring for all of them.

mod filter;
mod kicker;
mod mapping;
mod raw_ipv4;
mod raw_ipv6;
mod receive_ring;
mod syscalls;
mod transmit_ring;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use portwatch_packet::{Addresses, FrameTemplate};
use socket2::{Domain, Protocol, Socket, Type};

pub(crate) use filter::PortRange;

use crate::route::{Path, Routes, Via};
use crate::wire::{Event, Probe, Wire, WireError};
use raw_ipv4::RawIpv4;
use raw_ipv6::RawIpv6;
use receive_ring::ReceiveRing;
use transmit_ring::{Put, TransmitRing};

/// How often to look whether routes have changed, and how often at most to follow them.
const LOOK_UP: Duration = Duration::from_millis(100);
const FOLLOW: Duration = Duration::from_secs(1);

/// All sockets that a scan of SYN packets needs. They are opened once and used by one scan after another.
#[derive(Debug)]
pub(crate) struct Sockets {
    receive: ReceiveRing,
    transmit: TransmitRing,
    ipv4: RawIpv4,
    /// `None` where the kernel has no IPv6.
    ipv6: Option<RawIpv6>,
    routes: Routes,
    /// The hosts of the scan, and which template their frames are made from, if any.
    hosts: Vec<(IpAddr, Option<u32>)>,
    templates: Vec<(Path, u32, FrameTemplate)>,
    by_path: HashMap<Path, u32>,
    changed: bool,
    looked: Instant,
    followed: Instant,
    /// What was learnt while sending.
    events: Vec<Event>,
}

impl Sockets {
    /// Opens them, with a receive ring of about `ring` bytes. Needs `CAP_NET_RAW`.
    pub(crate) fn open(ring: usize) -> Result<Self, WireError> {
        let ipv6 = match RawIpv6::open() {
            Ok(socket) => Some(socket),
            Err(error) if error.source.raw_os_error() == Some(libc::EAFNOSUPPORT) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            receive: ReceiveRing::open(ring)?,
            transmit: TransmitRing::open()?,
            ipv4: RawIpv4::open()?,
            ipv6,
            routes: Routes::open().map_err(broken)?,
            hosts: Vec::new(),
            templates: Vec::new(),
            by_path: HashMap::new(),
            changed: false,
            looked: Instant::now(),
            followed: Instant::now(),
            events: Vec::new(),
        })
    }

    /// Whether frames are sent by a thread beside the one that makes them: for a scan that may send so fast that one
    /// core does not suffice. They may then leave a little later than they were made.
    pub(crate) fn send_beside(&mut self, beside: bool) -> Result<(), WireError> {
        self.transmit
            .send_beside(beside)
            .map_err(|source| WireError {
                attempted: "start a thread for frames".to_owned(),
                source,
            })
    }

    /// Hears answers to these source ports only; none without a range.
    pub(crate) fn listen(&mut self, ports: Option<PortRange>) -> Result<(), WireError> {
        self.events.clear();
        // Whatever a device has not taken by now belongs to a scan that is over.
        self.transmit.discard();
        self.receive.listen(ports.map(filter::answers))
    }

    /// The hosts of the next scan: our address towards each; `None` where there is no way. Probes name the others by
    /// their place among those that there is a way to.
    pub(crate) fn aim(&mut self, hosts: &[IpAddr]) -> Result<Vec<Option<IpAddr>>, WireError> {
        self.routes.changed().map_err(broken)?;
        self.templates.clear();
        self.by_path.clear();
        self.hosts.clear();
        let mut sources = Vec::with_capacity(hosts.len());
        for &host in hosts {
            let path = self.routes.towards(host).ok();
            sources.push(path.map(|path| path.source));
            if let Some(path) = path {
                let template = self.template(path);
                self.hosts.push((host, template));
            }
        }
        Ok(sources)
    }

    fn template(&mut self, path: Path) -> Option<u32> {
        let Via::Ethernet {
            interface,
            from,
            to,
        } = path.via
        else {
            return None;
        };
        let next = u32::try_from(self.templates.len()).ok()?;
        let templates = &mut self.templates;
        let place = self.by_path.entry(path).or_insert_with(|| {
            let template = FrameTemplate::new(from, to, path.source);
            templates.push((path, interface, template));
            next
        });
        Some(*place)
    }

    /// Finds the ways again if routes have changed.
    fn follow_routes(&mut self) -> Result<(), WireError> {
        if self.looked.elapsed() < LOOK_UP {
            return Ok(());
        }
        self.looked = Instant::now();
        self.changed |= self.routes.changed().map_err(broken)?;
        if !self.changed || self.followed.elapsed() < FOLLOW {
            return Ok(());
        }
        (self.changed, self.followed) = (false, Instant::now());
        for place in 0..self.hosts.len() {
            let (host, _) = self.hosts[place];
            let Ok(path) = self.routes.towards(host) else {
                // It may come back. Until then the kernel says what it thinks of each probe.
                self.hosts[place].1 = None;
                continue;
            };
            self.hosts[place].1 = self.template(path);
            if let Some(addresses) = Addresses::new(path.source, host)
                && let Ok(host) = u32::try_from(place)
            {
                self.events.push(Event::Source { host, addresses });
            }
        }
        let used = |interface: u32| {
            let templates = self.hosts.iter().filter_map(|(_, template)| *template);
            templates
                .filter_map(|place| self.templates.get(place as usize))
                .any(|&(_, of, _)| of == interface)
        };
        if self.transmit.is_waiting() && !used(self.transmit.interface()) {
            // It may have lost its carrier, and would hold up all others.
            self.transmit.discard();
        }
        Ok(())
    }

    fn send_one(&mut self, probe: &Probe) -> io::Result<Put> {
        // The timestamp is echoed and not looked at; a cookie's other half looks like a client's random offset.
        let timestamp = probe.sequence.rotate_left(16);
        let host = self.hosts.get_mut(probe.host as usize);
        if let Some((_, template)) = host
            && let Some(place) = *template
            && !probe.by_kernel
        {
            let (path, interface, frame) = &mut self.templates[place as usize];
            let destination = probe.flow.addresses.destination();
            if path.source == probe.flow.addresses.source()
                && let Some(frame) =
                    frame.fill(destination, probe.flow.ports, probe.sequence, timestamp)
                && let Ok(put) = self.transmit.put(*interface, frame)
            {
                return Ok(put);
            }
            // The interface is gone: the kernel may know another way.
            *template = None;
            self.changed = true;
        }
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
        .map(|()| Put::Taken)
    }
}

impl Wire for Sockets {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        let mut taken = probes.len();
        for (place, probe) in probes.iter().enumerate() {
            match self.send_one(probe).map_err(|error| (fault(&error), error)) {
                Ok(Put::Full) | Err((Fault::Full, _)) => {
                    taken = place;
                    break;
                }
                // The socket's own room is taken by packets to next hops that have not said where they are, which
                // may take seconds, or the way is gone and may come back. It must not hold up all others.
                Ok(Put::Taken) | Err((Fault::Stuck, _)) => {}
                Err((Fault::Refused, _)) => self.events.push(Event::Blocked(probe.flow)),
                Err((Fault::Broken, source)) => {
                    let attempted =
                        format!("send a probe to {}", probe.flow.addresses.destination());
                    return Err(WireError { attempted, source });
                }
            }
        }
        if self.transmit.flush().is_err() {
            // The frames are lost, which their timers will find out.
            self.changed = true;
        }
        Ok(taken)
    }

    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError> {
        self.follow_routes()?;
        let now = self.transmit.flush().is_ok() && self.transmit.is_waiting();
        let wait = match (self.events.is_empty(), now) {
            (false, _) => Duration::ZERO,
            (true, true) => wait.min(Duration::from_micros(200)),
            (true, false) => wait,
        };
        if !wait.is_zero() {
            self.receive.wait(wait)?;
        }
        events.append(&mut self.events);
        self.receive.drain(events)
    }
}

/// Opens a raw socket that never blocks.
fn open(domain: Domain, protocol: Protocol, name: &str) -> Result<Socket, WireError> {
    let failed = |source| WireError {
        attempted: format!("open a {name}"),
        source,
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol)).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(socket)
}

fn broken(error: crate::route::RouteError) -> WireError {
    WireError {
        attempted: "ask the kernel for routes".to_owned(),
        source: io::Error::other(error),
    }
}

/// What it means that a packet was not taken.
enum Fault {
    /// The device's queue is full: try again soon.
    Full,
    /// The socket's queue is full, or there is no way now: the packet is lost, and another try may fare better.
    Stuck,
    /// This machine will not send it: a firewall rule, a route, an address that is not allowed.
    Refused,
    /// The socket is of no use any more.
    Broken,
}

fn fault(error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(libc::ENOBUFS | libc::ENOMEM | libc::EINTR) => Fault::Full,
        Some(
            libc::EAGAIN
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::ENETDOWN
            | libc::EADDRNOTAVAIL,
        ) => Fault::Stuck,
        Some(libc::EPERM | libc::EACCES | libc::EAFNOSUPPORT | libc::EINVAL | libc::EMSGSIZE) => {
            Fault::Refused
        }
        _ => Fault::Broken,
    }
}

#[cfg(test)]
mod tests;
