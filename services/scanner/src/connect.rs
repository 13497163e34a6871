//! The wire for processes that may not open raw sockets: each probe is a whole connection.
//!
//! The kernel does the handshake, so what comes back is written down as the reply that it must have seen; what was
//! rejected by ICMP is in the socket's error queue, with its code and who sent it. The kernel also sends its SYN a
//! second time after a second, which the rate does not count. A connection has the sequence number and source port
//! that the kernel gives it; the probe's own are only its name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use portwatch_packet::{Answer, Reply};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::error_queue;
use crate::wire::{Event, Probe, Wire, WireError};

/// How long a connection may take. The kernel would go on with a third SYN after three seconds.
const PATIENCE: Duration = Duration::from_millis(2900);
/// How often a connection that met itself is tried again.
const TRIES: u32 = 3;
/// Below this many connections at once, a shortage of file descriptors is waited out.
const FEWEST: usize = 8;
/// The types of ICMP (RFC 792) and `ICMPv6` (RFC 4443) messages that say that a destination is unreachable.
const ICMP_UNREACHABLE: u8 = 3;
const ICMPV6_UNREACHABLE: u8 = 1;
/// Room for the start of the packet that an ICMP error quotes.
const QUOTED: usize = 64;

/// Connections in the making.
#[derive(Debug)]
pub(crate) struct Connections {
    runtime: Handle,
    tasks: JoinSet<()>,
    room: Arc<Semaphore>,
    limit: Arc<AtomicUsize>,
    sender: Sender<Event>,
    receiver: Receiver<Event>,
}

impl Connections {
    /// At most `limit` at once, on this runtime. Whoever drives them must not be one of its workers.
    pub(crate) fn new(runtime: Handle, limit: usize) -> Self {
        let (sender, receiver) = channel();
        let limit = limit.max(FEWEST);
        Self {
            runtime,
            tasks: JoinSet::new(),
            room: Arc::new(Semaphore::new(limit)),
            limit: Arc::new(AtomicUsize::new(limit)),
            sender,
            receiver,
        }
    }
}

impl Wire for Connections {
    fn send(&mut self, probes: &[Probe]) -> Result<usize, WireError> {
        while self.tasks.try_join_next().is_some() {}
        for (taken, &probe) in probes.iter().enumerate() {
            let Ok(permit) = self.room.clone().try_acquire_owned() else {
                return Ok(taken);
            };
            let (sender, limit) = (self.sender.clone(), self.limit.clone());
            let task = async move {
                let event = connect(&probe).await;
                give_back(permit, matches!(event, Some(Event::Unsent(_))), &limit);
                if let Some(event) = event {
                    // Nobody listens any more once the scan is over.
                    let _ = sender.send(event);
                }
            };
            self.tasks.spawn_on(task, &self.runtime);
        }
        Ok(probes.len())
    }

    fn receive(&mut self, wait: Duration, events: &mut Vec<Event>) -> Result<(), WireError> {
        match self.receiver.recv_timeout(wait) {
            Ok(event) => events.push(event),
            // It cannot be disconnected: a sender is right here.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        events.extend(self.receiver.try_iter());
        Ok(())
    }
}

/// Makes room for another connection, unless the machine had none for this one.
fn give_back(permit: OwnedSemaphorePermit, is_short: bool, limit: &AtomicUsize) {
    let fewer = |limit: usize| (is_short && limit > FEWEST).then(|| limit - 1);
    if limit
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
        .is_ok()
    {
        permit.forget();
    }
}

/// What comes of one connection; `None` if nothing did in time.
async fn connect(probe: &Probe) -> Option<Event> {
    let reply = |answer| {
        let flow = probe.flow;
        Event::Reply(Reply {
            flow,
            ttl: None,
            answer,
        })
    };
    let acknowledged = probe.sequence.wrapping_add(1);
    let address = SocketAddr::new(
        probe.flow.addresses.destination(),
        probe.flow.ports.destination,
    );
    for _ in 0..TRIES {
        let outcome = tokio::time::timeout(PATIENCE, attempt(address))
            .await
            .ok()?;
        let sequence = 0;
        return Some(match outcome {
            // The kernel gave our end the port that it was to connect to: nobody listens there, it met itself.
            Outcome::Itself => continue,
            Outcome::Connected => reply(Answer::SynAck {
                sequence,
                acknowledged,
            }),
            Outcome::Reset => reply(Answer::Rst {
                sequence,
                acknowledged,
            }),
            Outcome::Unreachable { code, reporter } => reply(Answer::Unreachable {
                // Where it is not known who sent it, it is taken for the kernel's own.
                reporter: reporter.unwrap_or_else(|| probe.flow.addresses.source()),
                code,
                sequence: probe.sequence,
            }),
            Outcome::Nothing => return None,
            Outcome::Short => Event::Unsent(*probe),
            Outcome::Blocked => Event::Blocked(probe.flow),
        });
    }
    None
}

/// What one attempt came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Connected,
    Itself,
    Reset,
    /// Rejected by ICMP.
    Unreachable {
        code: u8,
        reporter: Option<IpAddr>,
    },
    /// It failed in a way that says nothing about the port.
    Nothing,
    /// This machine has no descriptor, memory or port left for it.
    Short,
    /// This machine did not even begin.
    Blocked,
}

async fn attempt(address: SocketAddr) -> Outcome {
    let begun = begin(address).and_then(|socket| TcpStream::from_std(socket.into()));
    let stream = match begun {
        Ok(stream) => stream,
        Err(error) => return refused(&error),
    };
    made(&stream, address.ip()).await
}

/// What becomes of a connection that has begun.
async fn made(stream: &TcpStream, destination: IpAddr) -> Outcome {
    let look = || look(stream, destination);
    let outcome = stream.async_io(Interest::WRITABLE, look).await;
    outcome.unwrap_or(Outcome::Nothing)
}

/// What has become of the connection; `WouldBlock` if nothing has yet.
fn look(stream: &TcpStream, destination: IpAddr) -> io::Result<Outcome> {
    let failed = stream.take_error()?;
    // Asked afterwards: an ICMP error is in the queue before it is the connection's error. Some are only in the
    // queue, as those that come while the kernel still works on the connection.
    if let Some(outcome) = rejected(stream, destination)? {
        return Ok(outcome);
    }
    if let Some(error) = failed {
        return Ok(failure(&error, destination));
    }
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) if local == peer => Ok(Outcome::Itself),
        (Ok(_), Ok(_)) => Ok(Outcome::Connected),
        (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// The first ICMP unreachable in the socket's error queue. Linux puts there what comes before a connection is made
/// since version 5.18.
fn rejected(socket: &impl AsRawFd, destination: IpAddr) -> io::Result<Option<Outcome>> {
    let unreachable = match destination {
        IpAddr::V4(_) => ICMP_UNREACHABLE,
        IpAddr::V6(_) => ICMPV6_UNREACHABLE,
    };
    let mut quoted = [0; QUOTED];
    while let Some(message) = error_queue::receive_error(socket, &mut quoted)? {
        if let Some(error) = message.ancillary.error
            && error.is_icmp()
            && error.kind == unreachable
        {
            return Ok(Some(Outcome::Unreachable {
                code: error.code,
                reporter: error.offender,
            }));
        }
    }
    Ok(None)
}

/// What an error of the connection itself says, without a message in the error queue.
fn failure(error: &io::Error, destination: IpAddr) -> Outcome {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Outcome::Reset,
        // It was made, and broken off before we looked: a port that was not open would have refused.
        Some(libc::ECONNRESET | libc::EPIPE) => Outcome::Connected,
        Some(number) => match unreachable_code(number, destination) {
            Some(code) => Outcome::Unreachable {
                code,
                reporter: None,
            },
            None => Outcome::Nothing,
        },
        None => Outcome::Nothing,
    }
}

/// What it says that a connection could not begin.
fn refused(error: &io::Error) -> Outcome {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL) => {
            Outcome::Short
        }
        // On loopback a RST can come before the call returns. An ICMP error cannot: while the call lasts it is
        // only put into the queue.
        Some(libc::ECONNREFUSED) => Outcome::Reset,
        Some(libc::ECONNRESET) => Outcome::Connected,
        _ => Outcome::Blocked,
    }
}

/// Starts to connect. An error is the machine's own: nothing has left.
fn begin(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    error_queue::keep_errors(&socket, address.is_ipv6())?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// The ICMP code that the kernel makes this error of; of several, the plainest.
fn unreachable_code(error: i32, destination: IpAddr) -> Option<u8> {
    match (error, destination) {
        (libc::EHOSTUNREACH, IpAddr::V4(_)) | (libc::EACCES, IpAddr::V6(_)) => Some(1),
        (libc::EHOSTUNREACH, IpAddr::V6(_)) => Some(3),
        (libc::ENETUNREACH, _) => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
