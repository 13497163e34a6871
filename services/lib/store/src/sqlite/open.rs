//! Opens a data file: alone and brought up to date, or beside the process that does; always with settings that keep
//! what was committed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tokio::sync::Mutex;

use super::{Problem, Sqlite};
use crate::columns::number;
use crate::{Store, StoreError};

mod embedded {
    refinery::embed_migrations!("../../../migrations/sqlite");
}

const OPENING: &str = "opening the data file";

/// Opens the data file at `path`, which is made if it is missing, readable by its owner only, and
/// brings its tables up to date. Blocks for the time that this takes.
///
/// Fails if another process has it open, if it was made by a newer program, or if it is something
/// else. The folder must exist.
pub fn open(path: &Path) -> Result<Store, StoreError> {
    let lock = lock(path)?;
    private_file(path).map_err(|error| failed(path, &error))?;
    let mut connection = connect(path).map_err(|error| Problem::from(error).because(OPENING))?;
    migrate(&mut connection)?;
    end_leases(&connection).map_err(|error| Problem::from(error).because(OPENING))?;
    Ok(Arc::new(Sqlite {
        connection: Arc::new(Mutex::new(connection)),
        _lock: Some(lock),
    }))
}

/// Opens the data file at `path` beside the process that has it open, if any: takes no lock, and changes neither the
/// tables nor what is leased. For commands that read or ask, one transaction at a time. Blocks for the time that
/// this takes.
///
/// Fails if the file is not there, or if its tables are not those that this program was built for.
pub fn open_beside(path: &Path) -> Result<Store, StoreError> {
    // SQLite says no more than that it is unable to open the file.
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| failed(path, &error))?;
    let connection = connect(path).map_err(|error| Problem::from(error).because(OPENING))?;
    let found = schema_version(&connection).map_err(|problem| problem.because(OPENING))?;
    let needed = needed_version();
    match found {
        _ if found < needed => Err(StoreError::OldSchema { found, needed }),
        _ if found > needed => Err(StoreError::NewSchema { found, needed }),
        _ => Ok(Arc::new(Sqlite {
            connection: Arc::new(Mutex::new(connection)),
            _lock: None,
        })),
    }
}

/// Takes the lock on a file beside the data file. SQLite's own locks would let a second process in
/// between two transactions.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = private_file(&beside).map_err(|error| failed(&beside, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Failed {
            tried: OPENING,
            cause: format!(
                "another portwatch uses this data directory ({} is locked)",
                beside.display()
            ),
        }),
        Err(TryLockError::Error(error)) => Err(failed(&beside, &error)),
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed {
        tried: OPENING,
        cause: format!("{}: {error}", path.display()),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found = schema_version(connection).map_err(|problem| problem.because(OPENING))?;
    let needed = needed_version();
    if found > needed {
        return Err(StoreError::NewSchema { found, needed });
    }
    embedded::migrations::runner()
        .run(connection)
        .map_err(|error| StoreError::Migration(error.to_string()))?;
    Ok(())
}

/// Ends what the last process had leased: the lock shows that it is gone, so nobody has to wait for
/// its leases to run out.
fn end_leases(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "BEGIN;
         UPDATE targets SET claimed_until = NULL;
         UPDATE outbox SET due_at = 0;
         UPDATE deliveries SET due_at = 0, lease = NULL WHERE state = 'pending' AND lease IS NOT NULL;
         COMMIT;",
    )
}

/// The version of the tables; 0 without any.
pub(super) fn schema_version(connection: &Connection) -> Result<u32, Problem> {
    let has_any = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refinery_schema_history'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    if has_any.is_none() {
        return Ok(0);
    }
    let version: Option<i64> = connection.query_row(
        "SELECT max(version) FROM refinery_schema_history",
        [],
        |row| row.get(0),
    )?;
    Ok(number("version", version.unwrap_or(0))?)
}

/// The version that this program was built for.
pub(super) fn needed_version() -> u32 {
    let runner = embedded::migrations::runner();
    let versions = runner
        .get_migrations()
        .iter()
        .map(refinery::Migration::version);
    versions
        .max()
        .and_then(|version| u32::try_from(version).ok())
        .unwrap_or(0)
}
