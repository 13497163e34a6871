//! Brings the tables up to date.

use tokio_postgres::Client;

use super::{PostgresSettings, Problem, connect};
use crate::StoreError;
use crate::columns::number;

mod embedded {
    refinery::embed_migrations!("../../../migrations/postgres");
}

/// The key of the advisory lock under which one process migrates at a time.
const LOCK: i64 = 0x706f_7274_7761_7463;

/// From which schema version to which a migration went; the same if there was nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// The version that was found; 0 in an empty database.
    pub from: u32,
    /// The version from now on.
    pub to: u32,
}

/// Brings the tables up to date. Any number of processes may do this at once: one does the work,
/// the others wait for it.
///
/// Fails with [`StoreError::NewSchema`], and changes nothing, if the tables are those of a newer
/// program.
pub async fn migrate(settings: &PostgresSettings) -> Result<MigrationReport, StoreError> {
    let mut client = connect::alone(&settings.config()?).await?;
    let tried = "migrating";
    // The lock ends with the connection.
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await
        .map_err(|error| Problem::from(error).because(tried))?;
    let version = schema_version(&client).await;
    let from = version.map_err(|problem| problem.because(tried))?;
    let to = needed_version();
    if from > to {
        return Err(StoreError::NewSchema {
            found: from,
            needed: to,
        });
    }
    embedded::migrations::runner()
        .run_async(&mut client)
        .await
        .map_err(|error| StoreError::Migration(with_all_sources(&error)))?;
    Ok(MigrationReport { from, to })
}

fn with_all_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The version of the tables; 0 without any.
pub(super) async fn schema_version(client: &Client) -> Result<u32, Problem> {
    let exists = client
        .query_one(
            "SELECT to_regclass('refinery_schema_history') IS NOT NULL",
            &[],
        )
        .await?;
    if !exists.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let version = client
        .query_one(
            "SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history",
            &[],
        )
        .await?;
    Ok(number("version", version.try_get(0)?)?)
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
