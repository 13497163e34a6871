//! Consumes jobs. Publishes snapshots. Guarantees that no verdict is told that was not proven.

pub mod drive;
pub mod engine;
pub mod exclude;
pub mod wire;
