//! The wire for processes that may not open raw sockets: each probe is a whole connection.
//!
//! The kernel does the handshake, so what comes back is written down as the reply that it must have seen. The
//! kernel also sends its SYN a second time after a second, which the rate does not count. A connection has the
//! sequence number and source port that the kernel gives it; the probe's own are only its name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use portwatch_packet::{Answer, Reply};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::wire::{Event, Probe, Wire, WireError};

/// How long a connection may take. The kernel would go on with a third SYN after three seconds.
const PATIENCE: Duration = Duration::from_millis(2900);
/// How often a connection that met itself is tried again.
const TRIES: u32 = 3;
/// Below this many connections at once, a shortage of file descriptors is waited out.
const FEWEST: usize = 8;

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
    let destination = probe.flow.addresses.destination();
    let address = SocketAddr::new(destination, probe.flow.ports.destination);
    for _ in 0..TRIES {
        let outcome = tokio::time::timeout(PATIENCE, attempt(address))
            .await
            .ok()?;
        let (sequence, local) = (0, probe.flow.addresses.source());
        return Some(match outcome {
            // The kernel gave our end the port that it was to connect to: nobody listens there, it met itself.
            Outcome::Itself => continue,
            Outcome::Connected => reply(Answer::SynAck {
                sequence,
                acknowledged,
            }),
            Outcome::Failed(error) => match error.raw_os_error() {
                Some(libc::ECONNREFUSED) => reply(Answer::Rst {
                    sequence,
                    acknowledged,
                }),
                Some(number) => reply(Answer::Unreachable {
                    // The kernel does not say who sent it.
                    reporter: local,
                    code: unreachable_code(number, destination)?,
                    sequence: probe.sequence,
                }),
                None => return None,
            },
            Outcome::Refused(error) => match error.raw_os_error() {
                Some(
                    libc::EMFILE
                    | libc::ENFILE
                    | libc::ENOBUFS
                    | libc::ENOMEM
                    | libc::EADDRNOTAVAIL,
                ) => Event::Unsent(*probe),
                // On loopback the refusal can come before the call returns.
                Some(libc::ECONNREFUSED) => reply(Answer::Rst {
                    sequence,
                    acknowledged,
                }),
                _ => Event::Blocked(probe.flow),
            },
        });
    }
    None
}

/// What one attempt came to.
enum Outcome {
    Connected,
    Itself,
    /// The network or the target said no.
    Failed(io::Error),
    /// This machine did not even begin.
    Refused(io::Error),
}

async fn attempt(address: SocketAddr) -> Outcome {
    let begun = begin(address).and_then(|socket| TcpStream::from_std(socket.into()));
    let stream = match begun {
        Ok(stream) => stream,
        Err(error) => return Outcome::Refused(error),
    };
    let ended = stream.writable().await.and_then(|()| stream.take_error());
    match ended {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => return Outcome::Failed(error),
    }
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) if local == peer => Outcome::Itself,
        (Ok(_), Ok(_)) => Outcome::Connected,
        // It was connected, and was reset before it could be asked.
        (Err(error), _) | (_, Err(error)) => Outcome::Failed(error),
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
