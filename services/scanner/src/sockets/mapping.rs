//! Memory shared with the kernel: the rings of packet sockets.
//!
//! The kernel and this process hand slots to each other through status words. Everything here copies in and out,
//! so that no reference to memory that the kernel may write to is ever made.

#![expect(unsafe_code, reason = "shared memory; each block says why it is sound")]

use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, c_void, sockaddr_ll, socklen_t, tpacket_req, tpacket_req3};
use socket2::Socket;

/// A mapped ring.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: it owns its memory, which any thread may use, one at a time.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps the ring of this socket, which has `length` bytes.
    pub(super) fn of(socket: &Socket, length: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at a place that the kernel chooses touches no other memory.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, length })
    }

    /// Reads the word at this place. What the kernel wrote before it set the word is seen after it is read.
    pub(super) fn load(&self, place: usize) -> u32 {
        self.word(place)
            .map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Sets the word at this place. The kernel sees what was written before.
    pub(super) fn store(&mut self, place: usize, value: u32) {
        if let Some(word) = self.word(place) {
            word.store(value, Ordering::Release);
        }
    }

    fn word(&self, place: usize) -> Option<&AtomicU32> {
        if !place.is_multiple_of(align_of::<AtomicU32>()) || place + 4 > self.length {
            return None;
        }
        // SAFETY: the word lies within the mapping and is aligned, because mappings begin at a page; the kernel
        // uses it atomically too; the reference lives no longer than the mapping.
        Some(unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(place).cast()) })
    }

    /// Copies from this place, as much as there is of both; returns how many bytes.
    pub(super) fn copy_out(&self, place: usize, to: &mut [u8]) -> usize {
        let length = to.len().min(self.length.saturating_sub(place));
        if length > 0 {
            // SAFETY: `length` bytes lie within the mapping and within `to`, which is other memory.
            unsafe {
                ptr::copy_nonoverlapping(self.start.as_ptr().add(place), to.as_mut_ptr(), length);
            }
        }
        length
    }

    /// Copies to this place. True if it fits.
    pub(super) fn copy_in(&mut self, place: usize, from: &[u8]) -> bool {
        if from.len() > self.length.saturating_sub(place) {
            return false;
        }
        // SAFETY: so many bytes lie within the mapping and within `from`, which is other memory.
        unsafe {
            ptr::copy_nonoverlapping(from.as_ptr(), self.start.as_ptr().add(place), from.len());
        }
        true
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nothing refers to it any more.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.length);
        }
    }
}

/// Sizes of a transmit ring, as the kernel takes them.
pub(super) fn request_transmit(socket: &Socket, request: &tpacket_req) -> io::Result<()> {
    set(socket, libc::SOL_PACKET, libc::PACKET_TX_RING, request)
}

/// Sizes and times of a receive ring, as the kernel takes them.
pub(super) fn request_receive(socket: &Socket, request: &tpacket_req3) -> io::Result<()> {
    set(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, request)
}

/// Sets an option of packet sockets that is a number.
pub(super) fn set_number(socket: &Socket, option: c_int, value: c_int) -> io::Result<()> {
    set(socket, libc::SOL_PACKET, option, &value)
}

/// `T` must be the plain structure that the kernel expects for this option.
fn set<T: Copy>(socket: &Socket, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    // SAFETY: `value` is a whole `T` that outlives the call, and its size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(value).cast::<c_void>(),
            length_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Hears packets of this protocol, in the network's byte order, on all interfaces.
pub(super) fn bind_to_all(socket: &Socket, protocol: u16) -> io::Result<()> {
    let address = link_address(protocol, 0);
    // SAFETY: `address` is a whole address that outlives the call, and its size is passed.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            length_of::<sockaddr_ll>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn link_address(protocol: u16, interface: u32) -> sockaddr_ll {
    sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(0),
        sll_protocol: protocol,
        sll_ifindex: i32::try_from(interface).unwrap_or(0),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0; 8],
    }
}

/// How many packets did not fit into the ring since this was last asked.
pub(super) fn take_dropped(socket: &Socket) -> io::Result<u32> {
    let mut counts = libc::tpacket_stats_v3 {
        tp_packets: 0,
        tp_drops: 0,
        tp_freeze_q_cnt: 0,
    };
    let mut length = length_of::<libc::tpacket_stats_v3>();
    // SAFETY: `counts` has `length` bytes, and both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut counts).cast::<c_void>(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(counts.tp_drops)
}

/// Makes the kernel send the frames that wait in the socket's transmit ring through this interface.
pub(super) fn kick(socket: &Socket, interface: u32) -> io::Result<()> {
    let to = link_address(0, interface);
    // SAFETY: no bytes are passed, they are in the ring; `to` is a whole address that outlives the call.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            ptr::null(),
            0,
            libc::MSG_DONTWAIT,
            (&raw const to).cast(),
            length_of::<sockaddr_ll>(),
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn length_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(socklen_t::MAX)
}
