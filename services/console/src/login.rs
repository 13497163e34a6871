//! Logging in with a name and a password, which gives a token that counts for a while.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use jiff::{SignedDuration, Timestamp};
use portwatch_store::access::{NewToken, Owner};
use uuid::Uuid;

use crate::Shared;
use crate::answer::Refusal;
use crate::credentials::{self, is_password};

/// So many passwords are checked at once: each takes 19 MiB.
pub(crate) const PASSWORDS_AT_ONCE: usize = 4;

/// How long a login waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is longer is no name of anybody: the log shows the beginning.
const LONGEST_NAME: usize = 64;

/// Where a request comes from: the address of the connection, which may be a proxy's.
pub(crate) fn from(extensions: &Extensions) -> Option<IpAddr> {
    let from = extensions.get::<ConnectInfo<SocketAddr>>();
    from.map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// Shows the counts of logins before there is any.
pub(crate) fn count_from_zero() {
    count("refused", 0);
    count("done", 0);
}

fn count(result: &'static str, more: u64) {
    metrics::counter!("portwatch_console_logins_total", "result" => result).increment(more);
}

fn may_try(shared: &Shared, name: &str, from: Option<IpAddr>) -> Result<(), Refusal> {
    match shared.throttle.wait(name, from, Timestamp::now()) {
        None => Ok(()),
        Some(wait) => Err(Refusal::TooMany {
            seconds: wait.as_secs() + 1,
        }),
    }
}

/// Checks the password, and makes a token that counts for so long.
pub(crate) async fn log_in(
    shared: &Shared,
    (name, password): (&str, String),
    from: Option<IpAddr>,
    lasts: SignedDuration,
) -> Result<String, Refusal> {
    may_try(shared, name, from)?;
    let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, shared.checks.acquire()).await else {
        return Err(Refusal::TooMany { seconds: 1 });
    };
    // Once more: those who came before have failed meanwhile, and many can come at once.
    may_try(shared, name, from)?;
    let now = Timestamp::now();
    let store = &shared.deps.store;
    let hash = store.password_of(name).await?;
    let checked =
        tokio::task::spawn_blocking(move || is_password(&password, hash.as_deref())).await;
    if !checked.unwrap_or(false) {
        shared.throttle.failed(name, from, now);
        count("refused", 1);
        let shown: String = name.chars().take(LONGEST_NAME).collect();
        tracing::warn!(user = shown, ?from, "a login was refused");
        return Err(Refusal::WrongPassword);
    }
    let fresh = credentials::token();
    let fresh = fresh.map_err(|error| Refusal::Conflict(error.to_string()))?;
    let token = NewToken {
        id: Uuid::new_v4(),
        hash: fresh.hash,
        name: "login".to_owned(),
        owner: Owner::User(name.to_owned()),
        expires_at: now.checked_add(lasts).ok(),
    };
    if !store.add_token(token, name, now).await? {
        return Err(Refusal::WrongPassword);
    }
    shared.throttle.succeeded(name, from);
    count("done", 1);
    tracing::info!(user = name, ?from, "logged in");
    Ok(fresh.token)
}
