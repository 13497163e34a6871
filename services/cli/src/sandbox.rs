//! How a process that scans starts.

use anyhow::Result;
use portwatch_scanner::privilege::{self, Keep};
use portwatch_scanner::{Scanner, Settings};

/// Opens the sockets, and then gives up every privilege, except what is kept. To be called while the
/// process has one thread.
pub fn open(settings: &Settings, keep: Keep) -> Result<Scanner> {
    let scanner = Scanner::new(settings)?;
    if settings.sandbox {
        privilege::drop(keep)?;
    }
    Ok(scanner)
}
