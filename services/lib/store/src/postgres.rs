//! Everything in PostgreSQL, for any number of processes at once.
//!
//! Isolation is *read committed*; what must not run at once locks a row or takes an advisory lock
//! first. The order is always the same, so that nobody waits in a circle: the target's row, then
//! what hangs below it. Claims skip what is locked and wait for nobody.

/// Runs a block in one transaction, within the store's limit, and commits if it ends in `Ok`. Gives
/// `Result<_, Problem>`.
///
/// A macro, because closures that return futures over what they borrow cannot be shown to be `Send`.
macro_rules! once {
    ($store:expr, $tried:expr, |$transaction:ident| $work:block) => {{
        let mut client = $store.object($tried).await?;
        let done = tokio::time::timeout($store.limit, async {
            let begun = client.transaction().await?;
            let $transaction = &begun;
            let value: Result<_, $crate::postgres::Problem> = async { $work }.await;
            let value = value?;
            begun.commit().await?;
            Ok(value)
        })
        .await;
        $store.ended(client, done)
    }};
}

/// As [`once`], but on a task of its own, and begun again if the server broke it off to resolve a
/// collision. The block owns what it uses. Gives `Result<_, StoreError>`.
macro_rules! transaction {
    ($store:expr, $tried:expr, |$transaction:ident| $work:block) => {{
        let store = $store.clone();
        $crate::postgres::on_its_own($tried, async move {
            let mut attempt = 1;
            loop {
                match once!(store, $tried, |$transaction| $work) {
                    Err(problem)
                        if problem.is_collision() && attempt < $crate::postgres::ATTEMPTS =>
                    {
                        attempt += 1;
                    }
                    ended => break ended.map_err(|problem| problem.because($tried)),
                }
            }
        })
        .await
    }};
}

mod access;
mod channels;
mod connect;
mod deliveries;
mod held;
mod history;
mod jobs;
mod migrate;
mod notifications;
mod numbers;
mod outbox;
mod policy;
mod problems;
mod prune;
mod requests;
mod rows;
mod settings;
mod silences;
mod snapshots;
mod targets;
mod watch;

use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Object, Pool, PoolError};
use jiff::Timestamp;
use tokio::time::error::Elapsed;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

pub use connect::connect;
pub use migrate::{MigrationReport, migrate};
pub use settings::PostgresSettings;

use crate::columns::Unreadable;
use crate::{Database, PruneBefore, Pruned, StoreError};

/// How often a transaction is begun when it fell victim to a deadlock or a serialization failure.
const ATTEMPTS: u32 = 3;

/// A pool of connections, made when they are needed.
#[derive(Clone)]
struct Postgres {
    pool: Pool,
    /// The longest that one call may take once it has a connection.
    limit: Duration,
}

/// Why a transaction was rolled back.
enum Problem {
    Sql(tokio_postgres::Error),
    Unreadable(Unreadable),
    Refused(String),
    TooLate(Duration),
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
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
        let unavailable = |cause| StoreError::Unavailable { tried, cause };
        match self {
            Self::Sql(error) if is_temporary(&error) => unavailable(with_source(&error)),
            Self::Sql(error) => StoreError::Failed {
                tried,
                cause: with_source(&error),
            },
            Self::Unreadable(Unreadable { column, cause }) => StoreError::Unreadable {
                tried,
                column,
                cause,
            },
            Self::Refused(cause) => StoreError::Failed { tried, cause },
            Self::TooLate(limit) => unavailable(format!("no answer within {limit:?}")),
        }
    }

    /// True if the same transaction, begun again, is likely to get through.
    fn is_collision(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        error.code().is_some_and(|code| {
            *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
        })
    }
}

/// Lost connections, and a server that is stopping, starting, full, switched to read-only by a
/// failover, or did not get a lock in time (PostgreSQL manual, appendix A).
fn is_temporary(error: &tokio_postgres::Error) -> bool {
    const CLASSES: [&str; 4] = ["08", "53", "57", "58"];
    let Some(code) = error.code() else {
        let from_io = std::error::Error::source(error)
            .is_some_and(<dyn std::error::Error + 'static>::is::<std::io::Error>);
        return error.is_closed() || from_io;
    };
    CLASSES.iter().any(|class| code.code().starts_with(class))
        || [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// What the server said, without the rows it may quote; or what the driver said, with its source.
/// Neither holds the password.
fn with_source(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", said.message(), said.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Runs a call on a task of its own: a caller that is not polled for a while would keep its connection,
/// its locks and its place in the queue from everybody else.
async fn on_its_own<T: Send + 'static>(
    tried: &'static str,
    call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(call).await {
        Ok(ended) => ended,
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

impl Postgres {
    /// A connection that was seen to work. Whatever keeps us from getting one is no fault of the
    /// caller's, so it is always [`StoreError::Unavailable`].
    async fn object(&self, tried: &'static str) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| {
            let cause = match &error {
                PoolError::Backend(error) => with_source(error),
                other => other.to_string(),
            };
            StoreError::Unavailable { tried, cause }
        })
    }

    /// Gives the connection back, unless it did not answer in time: then it may be to a server that
    /// is gone, or hold the answer to a question nobody asks any more.
    fn ended<T>(
        &self,
        client: Object,
        done: Result<Result<T, Problem>, Elapsed>,
    ) -> Result<T, Problem> {
        done.unwrap_or_else(|_| {
            drop(Object::take(client));
            Err(Problem::TooLate(self.limit))
        })
    }
}

#[async_trait]
impl Database for Postgres {
    async fn check(&self) -> Result<(), StoreError> {
        let found = transaction!(self, "checking the database", |transaction| {
            migrate::schema_version(transaction.client()).await
        })?;
        let needed = migrate::needed_version();
        match found {
            _ if found < needed => Err(StoreError::OldSchema { found, needed }),
            _ if found > needed => Err(StoreError::NewSchema { found, needed }),
            _ => Ok(()),
        }
    }

    async fn installation(&self) -> Result<Uuid, StoreError> {
        transaction!(self, "reading the installation's id", |transaction| {
            let row = transaction
                .query_one("SELECT id FROM installation", &[])
                .await?;
            Ok(row.try_get(0)?)
        })
    }

    async fn clock(&self) -> Result<Timestamp, StoreError> {
        transaction!(self, "reading the database's clock", |transaction| {
            let row = transaction
                .query_one("SELECT clock_timestamp()", &[])
                .await?;
            Ok(row.try_get(0)?)
        })
    }

    async fn prune(&self, older_than: PruneBefore) -> Result<Pruned, StoreError> {
        self.prune_in_batches(older_than).await
    }
}
