//! The packets of a SYN scan, as pure functions over bytes: no socket, no clock, no randomness.
//!
//! * [`build`] makes the probe: a TCP SYN with an ordinary client's options.
//! * [`reply`] reads whatever a receive socket hands over into a typed [`Reply`], or says why not.
//! * [`cookie`] decides whether a reply proves that it answers a probe of ours.
//!
//! A [`Flow`] names one probe in all three.

pub mod build;
pub mod cookie;
pub mod flow;
pub mod reply;

pub use cookie::Key;
pub use flow::{Addresses, Flow, Pair, Ports};
pub use reply::{Answer, Refusal, Reply};
