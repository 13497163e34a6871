//! Scans over real sockets, and the service on the in-process bus.

#![expect(clippy::unwrap_used, reason = "tests")]

mod inquiry;
mod jobs;
mod loopback;
mod namespaces;
mod progress;
mod router;
mod service;
#[path = "../../src/skipped.rs"]
mod skipped;
mod udp;
