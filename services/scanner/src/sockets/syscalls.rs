//! The system calls that no crate of ours wraps: receiving with ancillary data, waiting for several sockets, and
//! three socket options. Everything else of the raw sockets goes through `socket2`.

#![expect(unsafe_code, reason = "system calls; each block says why it is sound")]

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd as _;
use std::ptr::from_mut;
use std::time::Duration;

use libc::{c_int, c_void, cmsghdr, in6_pktinfo, iovec, msghdr, pollfd, sockaddr_in6, socklen_t};
use socket2::Socket;

/// The size of `SO_MEMINFO`'s array, and the place of the count of dropped packets in it
/// (`SK_MEMINFO_VARS`, `SK_MEMINFO_DROPS` in `linux/sock_diag.h`).
const MEMINFO_FIELDS: usize = 9;
const MEMINFO_DROPS: usize = 8;

/// Room for a packet information and a hop limit, with their headers and padding.
const CONTROL_BYTES: usize = 128;

/// What the kernel tells about a packet beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Datagram {
    /// How many bytes of the buffer were filled.
    pub(super) length: usize,
    /// The sender; IPv6 only.
    pub(super) from: Option<Ipv6Addr>,
    /// Our address that it came to; IPv6 with [`tell_ipv6_details`] only.
    pub(super) to: Option<Ipv6Addr>,
    /// The hop limit; IPv6 with [`tell_ipv6_details`] only.
    pub(super) hop_limit: Option<u8>,
}

/// Ancillary data must be aligned like its headers.
#[repr(C)]
union Control {
    bytes: [u8; CONTROL_BYTES],
    _align: cmsghdr,
}

/// Takes one packet; `None` if none has come.
pub(super) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
    let mut from = MaybeUninit::<sockaddr_in6>::zeroed();
    let mut control = Control {
        bytes: [0; CONTROL_BYTES],
    };
    let mut part = iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all zeros is a valid msghdr: null pointers with lengths of zero.
    let mut message: msghdr = unsafe { zeroed() };
    message.msg_name = from.as_mut_ptr().cast();
    message.msg_namelen = socket_length::<sockaddr_in6>();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL_BYTES;
    // SAFETY: every pointer in `message` points to a local or to `buffer`, which all outlive the call, and every
    // length is that of what is pointed to.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let Ok(length) = usize::try_from(length) else {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        };
    };
    let mut datagram = Datagram {
        length: length.min(buffer.len()),
        ..Datagram::default()
    };
    // SAFETY: it was zeroed, which is valid for it, and the kernel wrote at most over it.
    let from = unsafe { from.assume_init() };
    if c_int::from(from.sin6_family) == libc::AF_INET6 {
        datagram.from = Some(Ipv6Addr::from(from.sin6_addr.s6_addr));
    }
    read_control(&message, &mut datagram);
    Ok(Some(datagram))
}

/// Reads the ancillary data of a message that was just received.
fn read_control(message: &msghdr, datagram: &mut Datagram) {
    // SAFETY: the kernel has set `msg_controllen` to what it wrote into the buffer behind `msg_control`, so the
    // macros stay within it; they return null at its end.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it points to a whole header within the buffer, aligned by `Control`.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        // SAFETY: as above.
        let data = unsafe { libc::CMSG_DATA(header) };
        match (level, kind) {
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: the kernel puts a whole in6_pktinfo behind this header.
                let info = unsafe { data.cast::<in6_pktinfo>().read_unaligned() };
                datagram.to = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                // SAFETY: the kernel puts a whole int behind this header.
                let limit = unsafe { data.cast::<c_int>().read_unaligned() };
                datagram.hop_limit = u8::try_from(limit).ok();
            }
            _ => {}
        }
        // SAFETY: `header` came from these macros for this message.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

/// Waits until one of the sockets has a packet, at most for `wait`.
pub(super) fn wait(sockets: &[&Socket], wait: Duration) -> io::Result<()> {
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
    Ok(())
}

/// How many packets the kernel has dropped because the socket's receive queue was full.
pub(super) fn dropped(socket: &Socket) -> io::Result<u32> {
    let mut fields = [0_u32; MEMINFO_FIELDS];
    let mut length = socket_length::<[u32; MEMINFO_FIELDS]>();
    // SAFETY: `fields` has `length` bytes, and both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            from_mut(&mut fields).cast::<c_void>(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fields[MEMINFO_DROPS])
}

/// Lets the receive queue grow beyond what everybody may have. Needs `CAP_NET_ADMIN`.
pub(super) fn force_receive_buffer(socket: &Socket, bytes: c_int) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

/// Makes [`receive`] tell our address and the hop limit of IPv6 packets (RFC 3542).
pub(super) fn tell_ipv6_details(socket: &Socket) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
    set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)
}

fn set_option(socket: &Socket, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: `value` is a whole int that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast::<c_void>(),
            socket_length::<c_int>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn socket_length<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(socklen_t::MAX)
}
