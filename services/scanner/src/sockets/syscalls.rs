//! Waiting for a socket, finer than in milliseconds.

#![expect(unsafe_code, reason = "a system call; the block says why it is sound")]

use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use libc::pollfd;
use socket2::Socket;

/// Waits until the socket has something, at most for `wait`.
pub(super) fn wait(socket: &Socket, wait: Duration) -> io::Result<()> {
    let mut polled = pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(wait.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    };
    // SAFETY: one entry is passed and outlives the call, so does the timeout; no signal mask is given.
    let ready = unsafe { libc::ppoll(&raw mut polled, 1, &raw const timeout, std::ptr::null()) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}
