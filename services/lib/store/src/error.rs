//! What can go wrong with a database.

/// An error of a store; the text says what was tried.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be reached, did not answer in time, or has no room. Trying again may
    /// help.
    #[error("{tried}: the database cannot be used now: {cause}")]
    Unavailable {
        /// What was tried.
        tried: &'static str,
        /// What the driver said, without secrets.
        cause: String,
    },
    /// The database answered with an error.
    #[error("{tried}: {cause}")]
    Failed {
        /// What was tried.
        tried: &'static str,
        /// What the database said.
        cause: String,
    },
    /// A row holds what this program cannot read.
    #[error("{tried}: unreadable {column}: {cause}")]
    Unreadable {
        /// What was tried.
        tried: &'static str,
        /// Which column.
        column: &'static str,
        /// Why.
        cause: String,
    },
    /// The address of the database is wrong.
    #[error("the database address is not usable: {0}")]
    Address(String),
    /// The tables are older than the program.
    #[error(
        "the database is at schema version {found}, and this program needs {needed}: run `portwatch migrate`"
    )]
    OldSchema {
        /// What the database has; 0 if it is empty.
        found: u32,
        /// What the program needs.
        needed: u32,
    },
    /// The tables are newer than the program.
    #[error(
        "the database is at schema version {found}, newer than the {needed} this program knows: update the program"
    )]
    NewSchema {
        /// What the database has.
        found: u32,
        /// What the program knows.
        needed: u32,
    },
    /// The tables could not be brought up to date.
    #[error("migrating the database: {0}")]
    Migration(String),
}

impl StoreError {
    /// True if the same call may work later without anybody doing anything.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
