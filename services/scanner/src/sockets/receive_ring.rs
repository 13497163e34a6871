//! Receiving: an `AF_PACKET` socket with a ring in shared memory (packet(7), `TPACKET_V3`), on all interfaces. The
//! kernel's filter lets nothing in but possible answers, and the ring is read without a system call.

use std::io;
use std::time::Duration;

use libc::{tpacket_block_desc, tpacket_req3, tpacket3_hdr};
use portwatch_packet::reply::{self, Answer, Reply};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::filter;
use super::mapping::{self, Mapping};
use super::syscalls;
use crate::wire::{Event, WireError};

const BLOCK: usize = 1 << 17;
/// A block is handed over after this time even if it is not full.
const RETIRE_AFTER_MS: u32 = 1;
/// What a slot would have in the older versions; the kernel wants it to divide a block.
const NOMINAL_FRAME: usize = 2048;
/// More than any answer to a SYN, and most of any ICMP error.
const PACKET_BYTES: usize = 2048;

/// Places in the header of a block and of a packet.
const STATUS: usize = std::mem::offset_of!(tpacket_block_desc, hdr);
const COUNT: usize = STATUS + 4;
const FIRST: usize = STATUS + 8;
const NEXT: usize = std::mem::offset_of!(tpacket3_hdr, tp_next_offset);
const CAPTURED: usize = std::mem::offset_of!(tpacket3_hdr, tp_snaplen);
const NETWORK: usize = std::mem::offset_of!(tpacket3_hdr, tp_mac);

/// The ring of received packets.
#[derive(Debug)]
pub(super) struct ReceiveRing {
    socket: Socket,
    mapping: Mapping,
    blocks: usize,
    next: usize,
}

impl ReceiveRing {
    /// Opens it with about `bytes` of room, deaf until [`Self::listen`]. Needs `CAP_NET_RAW`.
    pub(super) fn open(bytes: usize) -> Result<Self, WireError> {
        Self::set_up((bytes / BLOCK).max(2)).map_err(|source| WireError {
            attempted: "open a packet socket with a receive ring".to_owned(),
            source,
        })
    }

    fn set_up(blocks: usize) -> io::Result<Self> {
        let every_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or(0).to_be();
        // Without a protocol it hears nothing yet, so that nothing comes in before there is a filter.
        let socket = Socket::new(
            Domain::from(libc::AF_PACKET),
            Type::DGRAM,
            Some(Protocol::from(0)),
        )?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&filter::nothing())?;
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        mapping::set_number(&socket, libc::PACKET_VERSION, version)?;
        mapping::set_number(&socket, libc::PACKET_IGNORE_OUTGOING, 1)?;
        let request = tpacket_req3 {
            tp_block_size: small(BLOCK),
            tp_block_nr: small(blocks),
            tp_frame_size: small(NOMINAL_FRAME),
            tp_frame_nr: small(blocks * (BLOCK / NOMINAL_FRAME)),
            tp_retire_blk_tov: RETIRE_AFTER_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        mapping::request_receive(&socket, &request)?;
        let mapping = Mapping::of(&socket, BLOCK * blocks)?;
        mapping::bind_to_all(&socket, every_protocol)?;
        Ok(Self {
            socket,
            mapping,
            blocks,
            next: 0,
        })
    }

    /// Sets the filter and throws away what came before.
    pub(super) fn listen(&mut self, program: Option<Vec<SockFilter>>) -> Result<(), WireError> {
        let program = program.unwrap_or_else(filter::nothing);
        self.socket
            .attach_filter(&program)
            .map_err(|source| failed("set the filter of", source))?;
        for _ in 0..self.blocks {
            if !self.is_filled() {
                break;
            }
            self.give_back();
        }
        self.take_dropped().map(|_| ())
    }

    /// Waits until something has come, at most for `wait`.
    pub(super) fn wait(&self, wait: Duration) -> Result<(), WireError> {
        if self.is_filled() {
            return Ok(());
        }
        syscalls::wait(&self.socket, wait).map_err(|source| failed("wait for answers on", source))
    }

    /// Takes what has come, and tells if something was lost since the last time.
    pub(super) fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), WireError> {
        for _ in 0..self.blocks {
            if !self.is_filled() {
                break;
            }
            self.read_block(events);
            self.give_back();
        }
        if self.take_dropped()? > 0 {
            events.push(Event::Overflow);
        }
        Ok(())
    }

    fn is_filled(&self) -> bool {
        self.mapping.load(self.next * BLOCK + STATUS) & libc::TP_STATUS_USER != 0
    }

    fn give_back(&mut self) {
        self.mapping
            .store(self.next * BLOCK + STATUS, libc::TP_STATUS_KERNEL);
        self.next = (self.next + 1) % self.blocks;
    }

    fn read_block(&self, events: &mut Vec<Event>) {
        let block = self.next * BLOCK;
        let mut packet = block + large(self.mapping.load(block + FIRST));
        let mut bytes = [0; PACKET_BYTES];
        for _ in 0..self.mapping.load(block + COUNT) {
            let captured = large(self.mapping.load(packet + CAPTURED)).min(PACKET_BYTES);
            // Two 16-bit numbers in the machine's order: where the link's and the network's header begin, which
            // is the same place for a socket that takes packets without the link's.
            let mut network = [0; 2];
            self.mapping.copy_out(packet + NETWORK, &mut network);
            let start = packet + usize::from(u16::from_ne_bytes(network));
            let length = self.mapping.copy_out(start, &mut bytes[..captured]);
            let reply = parse(&bytes[..length]).filter(|reply| !is_our_own(reply));
            events.extend(reply.map(Event::Reply));
            packet += large(self.mapping.load(packet + NEXT));
        }
    }

    fn take_dropped(&self) -> Result<u32, WireError> {
        mapping::take_dropped(&self.socket)
            .map_err(|source| failed("read the drop counter of", source))
    }
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    match bytes.first()? >> 4 {
        4 => reply::parse_ipv4(bytes).ok(),
        6 => reply::parse_ipv6(bytes).ok(),
        _ => None,
    }
}

/// This machine itself says that it finds no way to the next hop, which says nothing of the port.
fn is_our_own(reply: &Reply) -> bool {
    let us = reply.flow.addresses.source();
    let them = reply.flow.addresses.destination();
    matches!(reply.answer, Answer::Unreachable { reporter, .. } if reporter == us && us != them)
}

fn failed(attempt: &str, source: io::Error) -> WireError {
    WireError {
        attempted: format!("{attempt} the receive ring"),
        source,
    }
}

fn small(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn large(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
