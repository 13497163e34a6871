//! Makes connections.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Postgres, PostgresSettings};
use crate::{Store, StoreError};

/// How long a connection that comes out of the pool may take to show that it lives.
const RECYCLE: Duration = Duration::from_millis(500);

/// What the server itself ends, so that a process that is cut off holds no lock for long. Well
/// above our own limit, and above that of deleting old rows.
const SERVER_LIMITS: &str =
    "-c statement_timeout=60s -c idle_in_transaction_session_timeout=30s -c lock_timeout=20s";

/// Makes a store. It connects when it is first used, so that a server that is away at the start
/// delays nothing; [`crate::Database::check`] tells whether it is there.
///
/// Fails if the address is wrong or the system's root certificates cannot be read.
pub async fn connect(settings: &PostgresSettings) -> Result<Store, StoreError> {
    let mut config = settings.config()?;
    let options = config.get_options().map_or_else(
        || SERVER_LIMITS.to_owned(),
        |given| format!("{SERVER_LIMITS} {given}"),
    );
    config.options(options);
    let manager_config = ManagerConfig {
        recycling_method: RecyclingMethod::Verified,
    };
    let manager = match config.get_ssl_mode() {
        SslMode::Require => Manager::from_config(config, tls()?, manager_config),
        _ => Manager::from_config(config, NoTls, manager_config),
    };
    let pool = Pool::builder(manager)
        .max_size(settings.pool.max(1))
        .wait_timeout(Some(settings.limit / 2))
        .create_timeout(Some(settings.limit / 2))
        .recycle_timeout(Some(RECYCLE))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::Address(error.to_string()))?;
    Ok(Arc::new(Postgres {
        pool,
        limit: settings.limit,
    }))
}

/// One connection beside any pool and without the server's limits, for what takes long. It ends
/// when the client is dropped.
pub(super) async fn alone(config: &Config) -> Result<tokio_postgres::Client, StoreError> {
    let failed = |error: tokio_postgres::Error| StoreError::Unavailable {
        tried: "connecting",
        cause: super::with_source(&error),
    };
    if config.get_ssl_mode() == SslMode::Require {
        let (client, connection) = config.connect(tls()?).await.map_err(failed)?;
        tokio::spawn(connection);
        Ok(client)
    } else {
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        tokio::spawn(connection);
        Ok(client)
    }
}

fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let unusable = |cause: String| StoreError::Address(format!("sslmode=require: {cause}"));
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map(ToString::to_string);
        let why = why.unwrap_or_else(|| "install ca-certificates or set SSL_CERT_FILE".to_owned());
        return Err(unusable(format!("no usable root certificates: {why}")));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
