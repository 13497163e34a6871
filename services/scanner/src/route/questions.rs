//! Questions to the kernel with their answers, and whole tables.

use std::io;

use netlink_packet_core::{
    DoneBuffer, ErrorBuffer, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLM_F_REQUEST,
    NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
};
use netlink_sys::Socket;

use super::netlink::{BUFFER, HEADER, Message, connected, messages, receive};

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
