//! Netlink sockets (RFC 3549): questions with their answers, whole tables, and notifications of changes.
//!
//! Nothing here waits: the kernel answers a question before the call that asks it returns, and fills in the next
//! part of a table while the one before is read.

use std::io;

use netlink_packet_core::{
    DoneBuffer, ErrorBuffer, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLM_F_REQUEST,
    NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The kernel sends at most 32 KiB at once; an answer that is longer even so is seen to be cut.
const BUFFER: usize = 64 << 10;
const HEADER: usize = 16;
/// Room for notifications between two looks, as far as the system's limit (`rmem_max`) allows.
const NOTIFICATIONS_BUFFER: libc::c_int = 4 << 20;

/// Links, and of both families addresses, routes and rules.
pub(super) const ROUTES: &[u32] = &[
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV6_RULE,
    libc::RTNLGRP_NEXTHOP,
];
/// Neighbours come and go while a network is scanned. They have a socket of their own, so that they do not push out
/// what is told of routes.
pub(super) const NEIGHBOURS: &[u32] = &[libc::RTNLGRP_NEIGH];

/// A socket connected to the kernel: nobody else can send to it.
fn connected() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// One message.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    flags: u16,
    sequence: u32,
    pub(super) payload: &'a [u8],
}

/// The messages of a datagram.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = usize::try_from(message.length()).ok()?;
        let payload = datagram.get(HEADER..length)?;
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some(Message {
            kind: message.message_type(),
            flags: message.flags(),
            sequence: message.sequence_number(),
            payload,
        })
    })
}

/// Reads one datagram, or fails with [`io::ErrorKind::WouldBlock`] if there is none.
fn receive(socket: &Socket, datagram: &mut Vec<u8>) -> io::Result<()> {
    loop {
        datagram.clear();
        match socket.recv(datagram, libc::MSG_DONTWAIT | libc::MSG_TRUNC) {
            Ok(length) if length > datagram.len() => {
                datagram.clear();
                datagram.reserve(length);
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a netlink message of {length} bytes was cut"),
                ));
            }
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The socket for questions.
pub(super) struct Questions {
    socket: Socket,
    request: Vec<u8>,
    datagram: Vec<u8>,
    sequence: u32,
}

impl Questions {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            socket: connected()?,
            request: Vec::new(),
            datagram: Vec::with_capacity(BUFFER),
            sequence: 0,
        })
    }

    /// Asks one question. The error is the kernel's answer, or that of the socket.
    pub(super) fn ask<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<T> {
        let mut answer = None;
        self.exchange(kind, 0, body, |payload| answer = parse(payload))?;
        answer.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the kernel's answer is not understood",
            )
        })
    }

    /// Reads a whole table. False if it changed meanwhile, so that entries may be missing.
    pub(super) fn dump(
        &mut self,
        kind: u16,
        body: &[u8],
        take: impl FnMut(&[u8]),
    ) -> io::Result<bool> {
        self.exchange(kind, NLM_F_DUMP, body, take)
    }

    fn exchange(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<bool> {
        self.send(kind, flags, body)?;
        let mut whole = true;
        loop {
            receive(&self.socket, &mut self.datagram)?;
            // What an earlier exchange left behind is passed over.
            let ours = |message: &Message<'_>| message.sequence == self.sequence;
            for message in messages(&self.datagram).filter(ours) {
                whole &= message.flags & NLM_F_DUMP_INTR == 0;
                let code = match message.kind {
                    NLMSG_DONE => {
                        DoneBuffer::new_checked(message.payload).map_or(0, |done| done.code())
                    }
                    NLMSG_ERROR => ErrorBuffer::new_checked(message.payload)
                        .map_or(-libc::EBADMSG, |error| error.code().map_or(0, i32::from)),
                    _ => {
                        take(message.payload);
                        if message.flags & NLM_F_MULTIPART == 0 {
                            return Ok(whole);
                        }
                        continue;
                    }
                };
                return match code {
                    0 => Ok(whole),
                    code => Err(io::Error::from_raw_os_error(code.saturating_abs())),
                };
            }
        }
    }

    fn send(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        self.request.clear();
        self.request.resize(HEADER + body.len(), 0);
        let length = u32::try_from(self.request.len()).unwrap_or(u32::MAX);
        let mut request = NetlinkBuffer::new(&mut self.request);
        request.set_length(length);
        request.set_message_type(kind);
        request.set_flags(NLM_F_REQUEST | flags);
        request.set_sequence_number(self.sequence);
        request.set_port_number(0);
        request.payload_mut().copy_from_slice(body);
        self.socket.send(&self.request, 0).map(drop)
    }
}

/// A socket that is told of changes.
pub(super) struct Changes {
    socket: Socket,
    datagram: Vec<u8>,
}

impl Changes {
    pub(super) fn subscribe(groups: &[u32]) -> io::Result<Self> {
        let socket = connected()?;
        socket.set_rx_buf_sz(NOTIFICATIONS_BUFFER)?;
        for group in groups {
            match socket.add_membership(*group) {
                Ok(()) => {}
                // Before Linux 5.3 there are no next-hop objects.
                Err(error)
                    if *group == libc::RTNLGRP_NEXTHOP
                        && error.raw_os_error() == Some(libc::EINVAL) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            socket,
            datagram: Vec::with_capacity(BUFFER),
        })
    }

    /// Takes the messages that are there, without waiting, up to `most` datagrams. True if there were more than the
    /// socket holds, so that some are lost.
    pub(super) fn hear(
        &mut self,
        most: usize,
        mut take: impl FnMut(&Message<'_>),
    ) -> io::Result<bool> {
        let mut lost = false;
        for _ in 0..most {
            match receive(&self.socket, &mut self.datagram) {
                Ok(()) => messages(&self.datagram).for_each(|message| take(&message)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error)
                    if error.kind() == io::ErrorKind::InvalidData
                        || error.raw_os_error() == Some(libc::ENOBUFS) =>
                {
                    lost = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(lost)
    }
}
