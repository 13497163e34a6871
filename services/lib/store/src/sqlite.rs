//! Everything in one SQLite file, for a trial or a small site: nothing to install.
//!
//! One connection does all the work, one transaction after the other, off the asynchronous threads.
//! A commit is on the disk when a method returns (WAL, `synchronous=FULL`).

mod access;
mod channels;
mod deliveries;
mod held;
mod history;
mod jobs;
mod notifications;
mod numbers;
mod open;
mod outbox;
mod policy;
mod problems;
mod prune;
mod requests;
mod rows;
mod silences;
mod snapshots;
mod targets;
mod watch;

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::Mutex;
use uuid::Uuid;

pub use open::{open, open_beside};

use crate::columns::Unreadable;
use crate::{Database, PruneBefore, Pruned, StoreError};

/// An open data file.
struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    /// Held as long as the file is open; the operating system gives it back when a process dies. `None` beside the
    /// process that has it.
    _lock: Option<File>,
}

/// Why a transaction was rolled back.
enum Problem {
    Sql(rusqlite::Error),
    Unreadable(Unreadable),
    Refused(String),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Unreadable> for Problem {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

impl Problem {
    fn because(self, tried: &'static str) -> StoreError {
        match self {
            Self::Sql(error) if is_temporary(&error) => StoreError::Unavailable {
                tried,
                cause: error.to_string(),
            },
            Self::Sql(error) => StoreError::Failed {
                tried,
                cause: error.to_string(),
            },
            Self::Unreadable(Unreadable { column, cause }) => StoreError::Unreadable {
                tried,
                column,
                cause,
            },
            Self::Refused(cause) => StoreError::Failed { tried, cause },
        }
    }
}

/// A full or failing disk, or somebody who looks into the file with another program.
fn is_temporary(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
        )
    )
}

impl Sqlite {
    /// Runs `work` in a transaction, which is committed if it succeeds.
    async fn transaction<T: Send + 'static>(
        &self,
        tried: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The connection is waited for on the blocking thread: a caller that is not polled for a while
        // must not keep its place in the queue, or the connection itself, from everybody else.
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = connection.blocking_lock_owned();
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        match done.await {
            Ok(result) => result.map_err(|problem: Problem| problem.because(tried)),
            Err(error) if error.is_panic() => Err(StoreError::Failed {
                tried,
                cause: "panicked; rolled back".to_owned(),
            }),
            Err(_) => Err(StoreError::Unavailable {
                tried,
                cause: "the program is stopping".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl Database for Sqlite {
    async fn check(&self) -> Result<(), StoreError> {
        let found = self
            .transaction("checking the data file", |transaction| {
                // A write that changes nothing: a full disk can still be read.
                transaction.execute("UPDATE installation SET id = id", [])?;
                open::schema_version(transaction)
            })
            .await?;
        let needed = open::needed_version();
        match found {
            _ if found < needed => Err(StoreError::OldSchema { found, needed }),
            _ if found > needed => Err(StoreError::NewSchema { found, needed }),
            _ => Ok(()),
        }
    }

    async fn installation(&self) -> Result<Uuid, StoreError> {
        self.transaction("reading the installation's id", |transaction| {
            let id = transaction.query_row("SELECT id FROM installation", [], |row| row.get(0))?;
            Ok(Uuid::from_bytes(id))
        })
        .await
    }

    async fn clock(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::now())
    }

    async fn prune(&self, older_than: PruneBefore) -> Result<Pruned, StoreError> {
        self.prune_in_batches(older_than).await
    }
}
