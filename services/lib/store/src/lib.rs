//! What Portwatch remembers, in PostgreSQL or SQLite behind one set of traits.
//!
//! One file per noun holds the trait and its types, down to the [`outbox`] between the database and the broker.
//! `postgres/` and `sqlite/` implement them, and both pass the one `conformance` suite.
//!
//! Every method is one transaction (only [`Database::prune`] takes several). Times come in as arguments.

pub mod access;
pub mod channels;
mod columns;
pub mod deliveries;
mod error;
pub mod held;
pub mod history;
pub mod jobs;
pub mod notifications;
pub mod numbers;
pub mod outbox;
pub mod policy;
pub mod postgres;
pub mod problems;
mod prune;
pub mod requests;
pub mod silences;
pub mod snapshots;
pub mod sqlite;
pub mod targets;
mod unavailable;
pub mod watch;

pub use error::StoreError;
pub use prune::{PruneBefore, Pruned};
pub use unavailable::retry_while_unavailable;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

/// A database that holds everything; what services hold is an `Arc` of it.
pub type Store = Arc<dyn Database>;

/// All that one database can do.
#[async_trait]
pub trait Database:
    targets::Targets
    + jobs::Jobs
    + requests::Requests
    + watch::Watch
    + snapshots::Snapshots
    + history::History
    + policy::Policies
    + outbox::Outbox
    + notifications::Notifications
    + held::HeldNotifications
    + silences::Silences
    + problems::Problems
    + deliveries::Deliveries
    + channels::Channels
    + access::Access
    + numbers::Numbers
{
    /// Asks the database for a sign of life and checks that its schema is the one this program
    /// was built for; the error says what is wrong.
    async fn check(&self) -> Result<(), StoreError>;

    /// The id that this database was given when it was made. It goes into every id that is told, so
    /// that two installations, or one that began anew, never tell two things under one id.
    async fn installation(&self) -> Result<Uuid, StoreError>;

    /// The time by the database's clock, to compare with our own.
    async fn clock(&self) -> Result<Timestamp, StoreError>;

    /// Deletes what nobody needs any more: finished jobs with their requests and inbox rows from before
    /// `older_than.working`, ended deliveries from before `older_than.history`, and history from before then or from
    /// before what its group keeps. Runs stay as long as any history. PostgreSQL keeps history by day (UTC) and drops
    /// a day when all of it is old; it also makes the days to come, so this should be called at least daily.
    async fn prune(&self, older_than: PruneBefore) -> Result<Pruned, StoreError>;
}
