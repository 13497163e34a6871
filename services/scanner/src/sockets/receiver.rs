//! A raw socket that receives: its filter, its queue, and the kernel's count of what did not fit.

use std::io;

use portwatch_packet::Reply;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::filter;
use super::syscalls::{self, Datagram};
use crate::wire::{Event, WireError};

/// Room for a burst of answers while this thread does not run. The kernel counts its own overhead too.
const QUEUE_BYTES: i32 = 16 << 20;
/// More than any answer to a SYN, and any ICMP error, of a network with ordinary frames.
const PACKET_BYTES: usize = 2048;
/// How many packets to take at once: as many as the queue holds, but no more, so that sending goes on.
const AT_ONCE: usize = 32_768;

/// Opens a raw socket that never blocks.
pub(super) fn open(domain: Domain, protocol: Protocol, name: &str) -> Result<Socket, WireError> {
    let failed = |source| WireError {
        attempted: format!("open a {name}"),
        source,
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol)).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(socket)
}

/// A receiving socket.
#[derive(Debug)]
pub(super) struct Receiver {
    socket: Socket,
    name: &'static str,
    dropped: u32,
}

impl Receiver {
    /// Opens it; it hears nothing yet.
    pub(super) fn open(
        domain: Domain,
        protocol: Protocol,
        name: &'static str,
    ) -> Result<Self, WireError> {
        let socket = open(domain, protocol, name)?;
        let mut receiver = Self {
            socket,
            name,
            dropped: 0,
        };
        receiver.listen(None)?;
        // Without the capability to take as much as one likes, what the system allows must do.
        if syscalls::force_receive_buffer(&receiver.socket, QUEUE_BYTES).is_err() {
            let bytes = usize::try_from(QUEUE_BYTES).unwrap_or_default();
            receiver
                .socket
                .set_recv_buffer_size(bytes)
                .map_err(|error| receiver.failed("size", error))?;
        }
        if domain == Domain::IPV6 {
            syscalls::tell_ipv6_details(&receiver.socket)
                .map_err(|error| receiver.failed("set up", error))?;
        }
        Ok(receiver)
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sets the filter and throws away what came before.
    pub(super) fn listen(&mut self, program: Option<Vec<SockFilter>>) -> Result<(), WireError> {
        let program = program.unwrap_or_else(filter::nothing);
        self.socket
            .attach_filter(&program)
            .map_err(|error| self.failed("set the filter of", error))?;
        let mut buffer = [0; PACKET_BYTES];
        while self.receive(&mut buffer)?.is_some() {}
        self.dropped = self.count_dropped()?;
        Ok(())
    }

    /// Takes what has come, and tells if something was lost since the last time.
    pub(super) fn drain(
        &mut self,
        events: &mut Vec<Event>,
        parse: impl Fn(Datagram, &[u8]) -> Option<Reply>,
    ) -> Result<(), WireError> {
        let mut buffer = [0; PACKET_BYTES];
        for _ in 0..AT_ONCE {
            let Some(datagram) = self.receive(&mut buffer)? else {
                break;
            };
            events.extend(parse(datagram, &buffer[..datagram.length]).map(Event::Reply));
        }
        let dropped = self.count_dropped()?;
        if dropped != self.dropped {
            self.dropped = dropped;
            events.push(Event::Overflow);
        }
        Ok(())
    }

    fn receive(&self, buffer: &mut [u8]) -> Result<Option<Datagram>, WireError> {
        syscalls::receive(&self.socket, buffer).map_err(|error| self.failed("receive from", error))
    }

    fn count_dropped(&self) -> Result<u32, WireError> {
        syscalls::dropped(&self.socket)
            .map_err(|error| self.failed("read the drop counter of", error))
    }

    fn failed(&self, attempt: &str, source: io::Error) -> WireError {
        WireError {
            attempted: format!("{attempt} the {}", self.name),
            source,
        }
    }
}
