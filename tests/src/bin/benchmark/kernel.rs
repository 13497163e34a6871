//! What the standard library does not ask the kernel: what a process has used, and packet sockets with a transmit
//! ring (packet(7), `PACKET_TX_RING`).

#![expect(
    unsafe_code,
    reason = "system calls and shared memory; each block says why it is sound"
)]

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{c_int, sockaddr_ll, socklen_t, tpacket_req, tpacket2_hdr};
use socket2::{Domain, Protocol, Socket, Type};

/// What a process used until its end.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// How it ended.
    pub status: ExitStatus,
    /// In user mode.
    pub user: Duration,
    /// In the kernel, on its behalf.
    pub system: Duration,
    /// The most memory that was resident at once.
    pub peak_kib: u64,
}

/// Waits for the end of a child (wait4(2)).
pub fn wait(child: &Child) -> io::Result<Usage> {
    let pid = c_int::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both places are whole and outlive the call.
        let result = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if result == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(Usage {
        status: ExitStatus::from_raw(status),
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}

/// The index of the interface with this name, in the namespace of this process.
pub fn interface(name: &CStr) -> io::Result<c_int> {
    // SAFETY: `name` ends with a zero and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    c_int::try_from(index).map_err(io::Error::other)
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

const SLOT: usize = 128;
const SLOTS: usize = 1024;
const BLOCK: usize = 1 << 16;
/// Where the frame begins in its slot, and where its length stands in the slot's header.
const FRAME: usize = size_of::<tpacket2_hdr>();
const LENGTH: usize = 4;

/// The length of `virtio_net_hdr`, and where it says how much of the frame the kernel copies.
const OFFLOADS: usize = 10;
const OFFLOADS_LENGTH: usize = 2;

/// What the kernel does with a frame in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// It hands out the memory of the ring, without a copy. A veth copies it then, into pages of its own.
    Shared,
    /// It copies the frame at once, into the packet's own memory: `PACKET_VNET_HDR` says how much.
    Copied,
}

/// A transmit ring of which every slot holds a frame of the same length.
pub struct Ring {
    socket: Socket,
    memory: NonNull<u8>,
    interface: c_int,
    /// Where frames begin in their slots, and how long they are.
    start: usize,
    frame: usize,
    next: usize,
}

impl Ring {
    /// Opens it for an interface and puts this frame into every slot. Needs `CAP_NET_RAW`.
    pub fn open(interface: c_int, frame: &[u8], passing: Passing) -> io::Result<Self> {
        if FRAME + OFFLOADS + frame.len() > SLOT {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let socket = Socket::new(
            Domain::from(libc::AF_PACKET),
            Type::RAW,
            Some(Protocol::from(0)),
        )?;
        let version = libc::tpacket_versions::TPACKET_V2 as c_int;
        set(&socket, libc::PACKET_VERSION, &version)?;
        set(&socket, libc::PACKET_QDISC_BYPASS, &1)?;
        let mut before = Vec::new();
        if passing == Passing::Copied {
            set(&socket, libc::PACKET_VNET_HDR, &1)?;
            before.resize(OFFLOADS, 0);
            let length = u16::try_from(frame.len()).map_err(io::Error::other)?;
            before[OFFLOADS_LENGTH..][..2].copy_from_slice(&length.to_ne_bytes());
        }
        socket.set_send_buffer_size(SLOTS * 1024)?;
        let request = tpacket_req {
            tp_block_size: small(BLOCK),
            tp_block_nr: small(SLOT * SLOTS / BLOCK),
            tp_frame_size: small(SLOT),
            tp_frame_nr: small(SLOTS),
        };
        set(&socket, libc::PACKET_TX_RING, &request)?;
        // SAFETY: a new mapping at a place that the kernel chooses touches no other memory.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                SLOT * SLOTS,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast::<u8>()).ok_or(io::ErrorKind::InvalidData)?;
        let mut ring = Self {
            socket,
            memory,
            interface,
            start: FRAME + before.len(),
            frame: frame.len(),
            next: 0,
        };
        let whole = [&before, frame].concat();
        for slot in 0..SLOTS {
            ring.write(slot * SLOT + LENGTH, &small(whole.len()).to_ne_bytes());
            ring.write(slot * SLOT + FRAME, &whole);
        }
        Ok(ring)
    }

    /// Overwrites bytes of the next slot's frame at these places and marks it to be sent; false if it is not free.
    pub fn put(&mut self, changes: &[(usize, [u8; 2])]) -> bool {
        let slot = self.next * SLOT;
        if self.status(slot).load(Ordering::Acquire) != libc::TP_STATUS_AVAILABLE {
            return false;
        }
        for (place, bytes) in changes {
            if place + bytes.len() <= self.frame {
                self.write(slot + self.start + place, bytes);
            }
        }
        let request = libc::TP_STATUS_SEND_REQUEST;
        self.status(slot).store(request, Ordering::Release);
        self.next = (self.next + 1) % SLOTS;
        true
    }

    /// Makes the kernel send what is marked.
    pub fn kick(&self) -> io::Result<()> {
        let to = sockaddr_ll {
            sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(0),
            sll_protocol: 0,
            sll_ifindex: self.interface,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: [0; 8],
        };
        // SAFETY: no bytes are passed, they are in the ring; `to` is a whole address that outlives the call.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                ptr::null(),
                0,
                libc::MSG_DONTWAIT,
                (&raw const to).cast(),
                length_of::<sockaddr_ll>(),
            )
        };
        let error = io::Error::last_os_error();
        let passing = [libc::ENOBUFS, libc::EAGAIN, libc::EINTR].map(Some);
        if sent < 0 && !passing.contains(&error.raw_os_error()) {
            return Err(error);
        }
        Ok(())
    }

    fn status(&self, place: usize) -> &AtomicU32 {
        let place = place % (SLOT * SLOTS);
        // SAFETY: slots begin at multiples of 128 within the mapping, which begins at a page and lives as long as
        // the ring; the kernel uses the word atomically too.
        unsafe { AtomicU32::from_ptr(self.memory.as_ptr().add(place / SLOT * SLOT).cast()) }
    }

    fn write(&mut self, place: usize, bytes: &[u8]) {
        assert!(place + bytes.len() <= SLOT * SLOTS, "beyond the ring");
        // SAFETY: so many bytes lie within the mapping, which is other memory than `bytes`.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.as_ptr().add(place), bytes.len());
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nothing refers to it any more.
        unsafe {
            libc::munmap(self.memory.as_ptr().cast(), SLOT * SLOTS);
        }
    }
}

/// `T` must be the plain structure that the kernel expects for this option.
fn set<T: Copy>(socket: &Socket, option: c_int, value: &T) -> io::Result<()> {
    // SAFETY: `value` is a whole `T` that outlives the call, and its size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            ptr::from_ref(value).cast(),
            length_of::<T>(),
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

fn small(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
