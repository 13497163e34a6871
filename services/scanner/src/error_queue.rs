//! What the kernel keeps for a socket: messages with their ancillary data, and the ICMP errors in its error queue
//! (`ip(7)`, `ipv6(7)`). These are the system calls that no crate of ours wraps: receiving, waiting for several
//! sockets, and socket options.

#![expect(unsafe_code, reason = "system calls; each block says why it is sound")]

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use libc::{
    c_int, cmsghdr, in_pktinfo, in6_pktinfo, iovec, msghdr, pollfd, sock_extended_err, sockaddr_in,
    sockaddr_in6, sockaddr_storage, socklen_t,
};
use socket2::Socket;

/// Room for an error with its offender, a hop limit and a packet information, with headers and padding.
const CONTROL_BYTES: usize = 256;

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    /// How many bytes of the buffer were filled.
    pub(crate) length: usize,
    /// The sender; in the error queue, where the rejected datagram was going.
    pub(crate) address: Option<SocketAddr>,
    /// What the kernel tells besides.
    pub(crate) ancillary: Ancillary,
}

/// What the kernel tells of a message beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ancillary {
    /// Time to live, or hop limit.
    pub(crate) ttl: Option<u8>,
    /// Our address that it came to.
    pub(crate) to: Option<IpAddr>,
    /// Why it is in the error queue.
    pub(crate) error: Option<Rejected>,
}

/// `struct sock_extended_err` (`linux/errqueue.h`), and who sent the error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejected {
    origin: u8,
    /// The type of the ICMP message.
    pub(crate) kind: u8,
    /// Its code.
    pub(crate) code: u8,
    /// Who sent it.
    pub(crate) offender: Option<IpAddr>,
}

impl Rejected {
    /// Whether it came by ICMP, of either version; otherwise this machine itself has found it.
    pub(crate) const fn is_icmp(&self) -> bool {
        matches!(
            self.origin,
            libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6
        )
    }
}

/// Ancillary data must be aligned like its headers.
#[repr(C)]
union Control {
    bytes: [u8; CONTROL_BYTES],
    _align: cmsghdr,
}

/// Takes one datagram; `None` if none has come.
///
/// # Errors
/// Also those that ICMP errors have left on the socket.
pub(crate) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<Message>> {
    receive_message(socket, buffer, 0)
}

/// Takes one message from the error queue; `None` if it is empty.
pub(crate) fn receive_error(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
) -> io::Result<Option<Message>> {
    receive_message(socket, buffer, libc::MSG_ERRQUEUE)
}

fn receive_message(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
    flags: c_int,
) -> io::Result<Option<Message>> {
    let mut name = MaybeUninit::<sockaddr_storage>::zeroed();
    let mut control = Control {
        bytes: [0; CONTROL_BYTES],
    };
    let mut part = iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all zeros is a valid msghdr: null pointers with lengths of zero.
    let mut message: msghdr = unsafe { zeroed() };
    message.msg_name = name.as_mut_ptr().cast();
    message.msg_namelen = length_of::<sockaddr_storage>();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL_BYTES;
    let flags = flags | libc::MSG_DONTWAIT;
    // SAFETY: every pointer in `message` points to a local or to `buffer`, which all outlive the call, and every
    // length is that of what is pointed to.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let Ok(length) = usize::try_from(length) else {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock => Ok(None),
            _ => Err(error),
        };
    };
    // SAFETY: it was zeroed, which is valid for it, and the kernel wrote at most over it.
    let name = unsafe { name.assume_init() };
    Ok(Some(Message {
        length: length.min(buffer.len()),
        address: address(&name),
        ancillary: read_control(&message),
    }))
}

/// Reads the ancillary data of a message that was just received.
fn read_control(message: &msghdr) -> Ancillary {
    let mut ancillary = Ancillary::default();
    // SAFETY: the kernel has set `msg_controllen` to what it wrote into the buffer behind `msg_control`, so the
    // macros stay within it; they return null at its end.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it points to a whole header within the buffer, aligned by `Control`.
        let (level, kind, length) = unsafe {
            (
                (*header).cmsg_level,
                (*header).cmsg_type,
                (*header).cmsg_len,
            )
        };
        // SAFETY: as above; the data follow the header within `length`.
        let data = unsafe { libc::CMSG_DATA(header) };
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                // SAFETY: the kernel puts a whole int behind this header.
                let ttl = unsafe { data.cast::<c_int>().read_unaligned() };
                ancillary.ttl = u8::try_from(ttl).ok();
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: the kernel puts a whole in_pktinfo behind this header.
                let info = unsafe { data.cast::<in_pktinfo>().read_unaligned() };
                let to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
                ancillary.to = Some(to.into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: the kernel puts a whole in6_pktinfo behind this header.
                let info = unsafe { data.cast::<in6_pktinfo>().read_unaligned() };
                ancillary.to = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                let room = length.saturating_sub(size_of::<cmsghdr>());
                ancillary.error = read_error(data, room);
            }
            _ => {}
        }
        // SAFETY: `header` came from these macros for this message.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    ancillary
}

/// Reads an error, and the address of its sender behind it, from `room` bytes of ancillary data.
fn read_error(data: *const u8, room: usize) -> Option<Rejected> {
    let offender_room = room.checked_sub(size_of::<sock_extended_err>())?;
    // SAFETY: there is room for a whole one, as was just seen.
    let error = unsafe { data.cast::<sock_extended_err>().read_unaligned() };
    let mut name = MaybeUninit::<sockaddr_storage>::zeroed();
    let length = offender_room.min(size_of::<sockaddr_storage>());
    // SAFETY: the source has `offender_room` bytes behind the error, the destination the size of a
    // sockaddr_storage; `length` is at most either, and a local does not overlap the control buffer.
    let name = unsafe {
        let offender = data.add(size_of::<sock_extended_err>());
        std::ptr::copy_nonoverlapping(offender, name.as_mut_ptr().cast::<u8>(), length);
        name.assume_init()
    };
    Some(Rejected {
        origin: error.ee_origin,
        kind: error.ee_type,
        code: error.ee_code,
        offender: address(&name).map(|offender| offender.ip()),
    })
}

/// The address in a name that the kernel wrote, in canonical form.
fn address(name: &sockaddr_storage) -> Option<SocketAddr> {
    match c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: a sockaddr_storage has room for every kind of address, and is aligned for it.
            let name = unsafe { *(&raw const *name).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::new(ip.into(), u16::from_be(name.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { *(&raw const *name).cast::<sockaddr_in6>() };
            let ip = IpAddr::from(Ipv6Addr::from(name.sin6_addr.s6_addr)).to_canonical();
            Some(SocketAddr::new(ip, u16::from_be(name.sin6_port)))
        }
        _ => None,
    }
}

/// Waits until one of the sockets has a message or an error, at most for `wait`; tells which have.
pub(crate) fn wait(sockets: &[&Socket], wait: Duration) -> io::Result<Vec<bool>> {
    let mut polled: Vec<pollfd> = sockets
        .iter()
        .map(|socket| pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(wait.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    };
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or(0);
    // SAFETY: `polled` has `count` entries and outlives the call, so does the timeout; no signal mask is given.
    let ready = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            count,
            &raw const timeout,
            std::ptr::null(),
        )
    };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(polled.iter().map(|socket| socket.revents != 0).collect())
}

/// Makes the socket keep the ICMP errors about what it sends.
pub(crate) fn keep_errors(socket: &Socket, is_ipv6: bool) -> io::Result<()> {
    if is_ipv6 {
        switch_on(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    } else {
        switch_on(socket, libc::IPPROTO_IP, libc::IP_RECVERR)
    }
}

/// Makes the socket tell hop limits and our addresses with what comes in.
pub(crate) fn tell_details(socket: &Socket, is_ipv6: bool) -> io::Result<()> {
    let (level, options) = if is_ipv6 {
        let details = [libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVPKTINFO];
        (libc::IPPROTO_IPV6, details)
    } else {
        (libc::IPPROTO_IP, [libc::IP_RECVTTL, libc::IP_PKTINFO])
    };
    options
        .into_iter()
        .try_for_each(|option| switch_on(socket, level, option))
}

fn switch_on(socket: &Socket, level: c_int, option: c_int) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: `on` is a whole int that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            length_of::<c_int>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn length_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(socklen_t::MAX)
}
