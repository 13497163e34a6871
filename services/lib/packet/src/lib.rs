//! The packets of a SYN scan, as pure functions over bytes: no socket, no clock, no randomness.
//!
//! * [`build`] makes the probe: a TCP SYN with an ordinary client's options.
//! * [`frame`] makes many of them quickly, each in an Ethernet frame.
//! * [`reply`] reads whatever a receive socket hands over into a typed [`Reply`], or says why not.
//! * [`cookie`] decides whether a reply proves that it answers a probe of ours.
//!
//! A [`Flow`] names one probe in all three.

pub mod build;
pub mod cookie;
pub mod flow;
pub mod frame;
pub mod reply;

pub use cookie::Key;
pub use flow::{Addresses, Flow, Pair, Ports};
pub use frame::FrameTemplate;
pub use reply::{Answer, Refusal, Reply};
