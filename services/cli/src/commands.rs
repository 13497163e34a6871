//! The subcommands, one file each.

pub mod approve;
pub mod audit;
pub mod channel;
pub mod check;
pub mod dead;
pub mod deliveries;
pub mod diff;
pub mod doctor;
pub mod healthcheck;
pub mod history;
pub mod migrate;
pub mod ports;
pub mod problems;
pub mod role;
pub mod route;
pub mod roxy_wi;
pub mod scan;
pub mod scan_now;
pub mod scans;
pub mod silence;
pub mod targets;
pub mod token;
pub mod up;
pub mod user;
