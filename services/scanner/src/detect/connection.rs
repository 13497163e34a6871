//! Connections that are permitted, paced, and give no more than so many bytes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::budget::Budget;
use crate::exclude::Exclusions;

/// The most that is read of one connection: a handshake of TLS and a page.
const MOST_READ: usize = 80 * 1024;

/// Something to talk over: a connection, or TLS on one.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// The way to one port. Every connection to it goes through here.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    patience: Duration,
    budget: Budget,
    exclusions: Exclusions,
}

impl Door {
    pub(super) fn new(
        ip: IpAddr,
        port: u16,
        patience: Duration,
        budget: Budget,
        exclusions: Exclusions,
    ) -> Self {
        Self {
            address: SocketAddr::new(ip, port),
            patience,
            budget,
            exclusions,
        }
    }

    pub(super) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Connects, unless the address is excluded. `None` if nobody answers in time.
    pub(super) async fn open(&self) -> Option<Limited<TcpStream>> {
        self.budget.token(self.address.ip()).await;
        // Asked last, as for every packet.
        if !self.exclusions.permit(self.address.ip()) {
            return None;
        }
        let connecting = timeout(self.patience, TcpStream::connect(self.address));
        let stream = connecting.await.ok()?.ok()?;
        // A connection can meet itself where nobody listens: both ends have the same port.
        let met_itself = stream.local_addr().ok() == Some(self.address);
        (!met_itself).then(|| Limited::new(stream, MOST_READ))
    }
}

/// A connection that ends after so many bytes read, whoever goes on talking.
#[derive(Debug)]
pub(super) struct Limited<S> {
    stream: S,
    left: usize,
}

impl<S> Limited<S> {
    pub(super) fn new(stream: S, left: usize) -> Self {
        Self { stream, left }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Ok(()));
        }
        let most = self.left.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let result = Pin::new(&mut self.stream).poll_read(context, &mut part);
        let read = part.filled().len();
        buffer.advance(read);
        self.left -= read;
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How an answer is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until the first byte.
    pub(super) first: Duration,
    /// Between two pieces: longer silence means that all was said.
    pub(super) quiet: Duration,
    /// From the first byte to the last.
    pub(super) whole: Duration,
}

/// Reads what comes: at most `most` bytes, until it ends, falls silent, takes too long, or `is_whole` says so.
/// What was read before an error counts.
pub(super) async fn read(
    line: &mut dyn Line,
    most: usize,
    patience: Patience,
    is_whole: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    let mut said = Vec::new();
    let mut piece = [0; 2048];
    let mut until = Instant::now() + patience.first;
    let mut end = None;
    while said.len() < most {
        let Ok(Ok(read)) = timeout_at(until, line.read(&mut piece)).await else {
            break;
        };
        if read == 0 {
            break;
        }
        said.extend_from_slice(&piece[..read.min(most - said.len())]);
        if is_whole(&said) {
            break;
        }
        let now = Instant::now();
        let end = *end.get_or_insert(now + patience.whole);
        until = end.min(now + patience.quiet);
    }
    said
}
