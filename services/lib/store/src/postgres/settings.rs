//! Where the database is, and how patient we are with it.

use std::fmt;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::StoreError;

/// What is said of an address that cannot be read.
const EXAMPLE: &str = "write postgres://user:password@host:5432/database, with %40 for an @ in the \
     password (and so on), and only options that libpq knows, such as ?sslmode=require";

/// How to reach PostgreSQL.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database?sslmode=…`. With `require`, `verify-ca` or
    /// `verify-full` the connection is encrypted and the server's certificate and name are checked
    /// against the system's roots (or `SSL_CERT_FILE`); otherwise it is plain.
    pub url: String,
    /// The most connections of this process.
    pub pool: usize,
    /// The longest that one call may take once it has a connection, for which it waits as long at
    /// most. A call that takes longer fails, and its connection is dropped.
    pub limit: Duration,
}

impl PostgresSettings {
    /// Settings with the usual limit of 10 s.
    pub fn new(url: impl Into<String>, pool: usize) -> Self {
        Self {
            url: url.into(),
            pool,
            limit: Duration::from_secs(10),
        }
    }

    /// The driver's settings; the error never shows the address, because the password is in it.
    pub(super) fn config(&self) -> Result<Config, StoreError> {
        // The driver knows only `require`, which is as strict here as libpq's `verify-full`.
        let url = self
            .url
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        // What the driver says of it may hold a piece of the password.
        let mut config: Config = url
            .parse()
            .map_err(|_| StoreError::Address(EXAMPLE.to_owned()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(StoreError::Address(EXAMPLE.to_owned()));
        }
        if config.get_ssl_mode() != SslMode::Require {
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_application_name().is_none() {
            config.application_name("portwatch");
        }
        config
            .connect_timeout(Duration::from_secs(3))
            .tcp_user_timeout(self.limit)
            .keepalives_idle(Duration::from_secs(30));
        Ok(config)
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("url", &"(hidden)")
            .field("pool", &self.pool)
            .field("limit", &self.limit)
            .finish()
    }
}
