//! The subcommands, one file each.

pub mod dead;
pub mod doctor;
pub mod healthcheck;
pub mod migrate;
pub mod role;
pub mod scan;
pub mod up;
