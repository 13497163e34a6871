//! Notifications of changes.

use std::io;

use netlink_sys::Socket;

use super::netlink::{BUFFER, Message, connected, messages, receive};

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
