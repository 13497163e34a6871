//! Sending Ethernet frames: an `AF_PACKET` socket with a transmit ring (packet(7), `PACKET_TX_RING`), past the
//! queueing discipline. One system call sends as many frames as wait.

use std::io;

use libc::{c_int, tpacket_req, tpacket2_hdr};
use portwatch_packet::frame::FRAME_LEN;
use socket2::{Domain, Protocol, Socket, Type};

use super::kicker::Kicker;
use super::mapping::{self, Mapping};
use crate::wire::WireError;

/// Bytes of a slot: the header, how to take the frame, and the frame.
const SLOT: usize = 256;
const SLOTS: usize = 1024;
const BLOCK: usize = 1 << 16;
/// Where the header ends: here the frame begins, or what stands before it.
const BODY: usize = size_of::<tpacket2_hdr>();
/// Bytes of the header that may stand before a frame (virtio 1.2, 5.1.6 `virtio_net_hdr`).
const HOW: usize = 10;
/// Where in it the number of bytes stands that the kernel is to copy.
const COPIED: usize = 2;
/// Where the length stands in the header, behind the status.
const LENGTH: usize = 4;
/// Room for all slots, with the kernel's overhead, so that the socket's own limit is never what counts.
const QUEUE_BYTES: usize = SLOTS * 1024;

const _: () = assert!(BODY + HOW + FRAME_LEN <= SLOT);

/// Frames that wait or are on their way.
#[derive(Debug)]
pub(super) struct TransmitRing {
    socket: Socket,
    mapping: Mapping,
    next: usize,
    /// Where a frame begins in its slot.
    frame: usize,
    /// Where the frames that wait go to. One interface at a time.
    interface: u32,
    waiting: bool,
    /// Sends beside this thread, while a scan is fast enough for that to pay.
    kicker: Option<Kicker>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It will leave with the next [`TransmitRing::flush`].
    Taken,
    /// There is no room now.
    Full,
}

impl TransmitRing {
    /// Opens it. Needs `CAP_NET_RAW`.
    pub(super) fn open() -> Result<Self, WireError> {
        Self::set_up().map_err(|source| WireError {
            attempted: "open a packet socket with a transmit ring".to_owned(),
            source,
        })
    }

    fn set_up() -> io::Result<Self> {
        // Protocol 0: it only sends.
        let socket = Socket::new(
            Domain::from(libc::AF_PACKET),
            Type::RAW,
            Some(Protocol::from(0)),
        )?;
        mapping::set_number(&socket, libc::PACKET_VERSION, version_2())?;
        mapping::set_number(&socket, libc::PACKET_QDISC_BYPASS, 1)?;
        // The kernel then copies all of a frame when it takes it. Otherwise it copies the Ethernet header and refers
        // to the rest, which the other side of a veth, and many drivers, must then copy piece by piece. A kernel that
        // does not know the option takes frames as they are.
        let frame = match mapping::set_number(&socket, libc::PACKET_VNET_HDR, 1) {
            Ok(()) => BODY + HOW,
            Err(_) => BODY,
        };
        socket.set_send_buffer_size(QUEUE_BYTES)?;
        let (slot, block, slots) = (small(SLOT), small(BLOCK), small(SLOTS));
        let request = tpacket_req {
            tp_block_size: block,
            tp_block_nr: small(SLOT * SLOTS) / block,
            tp_frame_size: slot,
            tp_frame_nr: slots,
        };
        mapping::request_transmit(&socket, &request)?;
        let mapping = Mapping::of(&socket, SLOT * SLOTS)?;
        Ok(Self {
            socket,
            mapping,
            next: 0,
            frame,
            interface: 0,
            waiting: false,
            kicker: None,
        })
    }

    /// Whether to send on a thread beside this one, from now on.
    pub(super) fn send_beside(&mut self, beside: bool) -> io::Result<()> {
        self.kicker = None;
        if beside {
            self.kicker = Some(Kicker::start(self.socket.try_clone()?)?);
        }
        Ok(())
    }

    /// Puts a frame for this interface into the ring.
    pub(super) fn put(&mut self, interface: u32, frame: &[u8]) -> io::Result<Put> {
        if self.interface != interface {
            self.flush()?;
            if self.waiting {
                return Ok(Put::Full);
            }
            self.interface = interface;
        }
        let slot = self.next * SLOT;
        if self.mapping.load(slot) != libc::TP_STATUS_AVAILABLE {
            self.flush()?;
            if self.mapping.load(slot) != libc::TP_STATUS_AVAILABLE {
                return Ok(Put::Full);
            }
        }
        let length = self.frame - BODY + frame.len();
        if self.frame > BODY {
            let mut how = [0; HOW];
            let copied = u16::try_from(frame.len()).unwrap_or(0);
            how[COPIED..COPIED + 2].copy_from_slice(&copied.to_ne_bytes());
            self.mapping.copy_in(slot + BODY, &how);
        }
        let length = u32::try_from(length).unwrap_or(0);
        self.mapping.store(slot + LENGTH, length);
        if !self.mapping.copy_in(slot + self.frame, frame) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.mapping.store(slot, libc::TP_STATUS_SEND_REQUEST);
        self.next = (self.next + 1) % SLOTS;
        self.waiting = true;
        Ok(Put::Taken)
    }

    /// Sends what waits. What the device does not take now stays, and goes with the next call.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.waiting {
            return Ok(());
        }
        let kicked = match &self.kicker {
            Some(kicker) => kicker.kick(self.interface),
            None => mapping::kick(&self.socket, self.interface),
        };
        if let Err(error) = kicked {
            let passing = [libc::ENOBUFS, libc::EAGAIN, libc::EINTR, libc::ENOMEM];
            if !passing.map(Some).contains(&error.raw_os_error()) {
                self.discard();
                return Err(error);
            }
        }
        let last = (self.next + SLOTS - 1) % SLOTS;
        self.waiting = self.mapping.load(last * SLOT) == libc::TP_STATUS_SEND_REQUEST;
        Ok(())
    }

    /// True if frames wait that the device did not take.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Where the frames that wait go to.
    pub(super) fn interface(&self) -> u32 {
        self.interface
    }

    /// Gives up what waits: the interface is gone, or nobody wants it any more.
    pub(super) fn discard(&mut self) {
        // The kernel must not look for frames meanwhile, or it and we would no longer agree on the next slot.
        let kicker = self.kicker.take();
        let beside = kicker.is_some();
        drop(kicker);
        let mut slot = self.next;
        for _ in 0..SLOTS {
            slot = (slot + SLOTS - 1) % SLOTS;
            if self.mapping.load(slot * SLOT) != libc::TP_STATUS_SEND_REQUEST {
                break;
            }
            self.mapping.store(slot * SLOT, libc::TP_STATUS_AVAILABLE);
            self.next = slot;
        }
        self.waiting = false;
        if beside && self.send_beside(true).is_err() {
            tracing::debug!("no second thread for frames: going on with one");
        }
    }
}

/// The headers are those of version 2, which have the size of 32 bytes.
fn version_2() -> c_int {
    libc::tpacket_versions::TPACKET_V2 as c_int
}

fn small(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
