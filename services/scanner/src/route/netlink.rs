//! Netlink sockets (RFC 3549) and what goes over them.
//!
//! Nothing here waits: the kernel answers a question before the call that asks it returns, and fills in the next
//! part of a table while the one before is read.

use std::io;

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The kernel sends at most 32 KiB at once; an answer that is longer even so is seen to be cut.
pub(super) const BUFFER: usize = 64 << 10;
/// `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;

/// A socket connected to the kernel: nobody else can send to it.
pub(super) fn connected() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// One message.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

/// The messages of a datagram.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
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
pub(super) fn receive(socket: &Socket, datagram: &mut Vec<u8>) -> io::Result<()> {
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
