//! Consumes jobs. Publishes snapshots. Guarantees that no verdict is told that was not proven.

pub mod capability;
mod connect;
mod drive;
mod engine;
mod exclude;
mod route;
mod scan;
mod settings;
mod sockets;
mod source_ports;
mod wire;

pub use engine::{Progress, Rejected};
pub use exclude::Exclusions;
pub use route::source_towards;
pub use scan::{Scan, ScanError, Scanner, method};
pub use settings::{MethodSetting, Settings};
