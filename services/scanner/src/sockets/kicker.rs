//! A thread that makes the kernel send what is in a transmit ring, so that the next frames can be made meanwhile.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::thread::{JoinHandle, Thread};

use socket2::Socket;

use super::mapping;

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Kicker {
    shared: Arc<Shared>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// There are frames that no call has looked for yet.
    wanted: AtomicBool,
    interface: AtomicU32,
    /// What the last call failed with; 0 if it did not.
    error: AtomicI32,
    ended: AtomicBool,
}

impl Kicker {
    /// Starts the thread for the ring of this socket.
    pub(super) fn start(socket: Socket) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let handle = std::thread::Builder::new()
            .name("frames".to_owned())
            .spawn(move || theirs.run(&socket))?;
        Ok(Self {
            shared,
            thread: handle.thread().clone(),
            handle: Some(handle),
        })
    }

    /// Has the frames sent that wait in the ring, through this interface. Fails if an earlier call did.
    pub(super) fn kick(&self, interface: u32) -> io::Result<()> {
        self.shared.interface.store(interface, Ordering::Relaxed);
        // The kernel looks for frames as long as it finds some, so a thread that is at it need not be woken. It
        // looks again if this was set after it began.
        if !self.shared.wanted.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
        match self.shared.error.swap(0, Ordering::AcqRel) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl Drop for Kicker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.thread.unpark();
        if let Some(handle) = self.handle.take() {
            // It cannot panic, and if it did, nothing would be lost.
            let _ = handle.join();
        }
    }
}

impl Shared {
    fn run(&self, socket: &Socket) {
        while !self.ended.load(Ordering::Acquire) {
            if !self.wanted.swap(false, Ordering::AcqRel) {
                std::thread::park();
                continue;
            }
            let interface = self.interface.load(Ordering::Relaxed);
            if let Err(error) = mapping::kick(socket, interface) {
                let number = error.raw_os_error().unwrap_or(libc::EIO);
                self.error.store(number, Ordering::Release);
            }
        }
    }
}
