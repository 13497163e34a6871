//! Reads everything that a sync needs: all of it, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portwatch_domain::target::Switches;
use serde_json::Value;
use tokio::sync::Mutex;

use super::answer::Problem;
use super::client::{CallError, Client, Token, failed};
use super::contract::{self, Listed, Monitoring};
use super::settings::UserSettings;

/// How many servers' switches are asked for at once.
const AT_ONCE: usize = 8;

/// A server, with what its switches say: nothing, if nobody ever set them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub listed: Listed,
    pub switches: Option<Switches>,
    /// Which of our users sees it.
    pub user: usize,
}

/// Everything that Roxy-WI says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub groups: BTreeMap<u64, String>,
    pub servers: Vec<Server>,
    pub monitoring: Monitoring,
}

/// A service user, and the token of its last login.
pub(super) struct Account {
    user: UserSettings,
    token: Mutex<Option<Token>>,
}

impl Account {
    pub fn new(user: UserSettings) -> Self {
        Self {
            user,
            token: Mutex::default(),
        }
    }

    /// What this user sees, read with one token: a second one could be of another group. If the token counts no longer,
    /// all is read once more with a new one.
    async fn seen(&self, client: &Client, user: usize) -> Result<Seen, CallError> {
        let read = |token: Token| async move { read(client, &self.user, &token, user).await };
        self.with_token(client, read).await
    }

    /// The switches of a server.
    pub async fn switches(
        &self,
        client: &Client,
        server: u64,
    ) -> Result<Option<Switches>, CallError> {
        let read = |token: Token| async move { switches(client, &self.user, &token, server).await };
        self.with_token(client, read).await
    }

    /// Sets the switches of a server: all three, because those that are left out become true.
    pub async fn set_switches(
        &self,
        client: &Client,
        server: u64,
        switches: Switches,
    ) -> Result<(), CallError> {
        let body = serde_json::json!({
            "enabled": switches.enabled,
            "notify": switches.notify,
            "history": switches.history,
        });
        let path = path_of(server);
        let (path, body) = (&path, &body);
        let set = |token: Token| async move {
            client.post(&self.user, &token, path, body).await?;
            Ok(())
        };
        self.with_token(client, set).await
    }

    async fn with_token<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        client: &Client,
        work: impl Fn(Token) -> F,
    ) -> Result<T, CallError> {
        let is_dead = |ended: &Result<T, CallError>| matches!(ended, Err(error) if matches!(error.problem, Problem::Unauthorized(_)));
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref() {
            let ended = work(token.clone()).await;
            if !is_dead(&ended) {
                return ended;
            }
        }
        *held = None;
        let token = client.login(&self.user).await?;
        let ended = work(token.clone()).await;
        if !is_dead(&ended) {
            *held = Some(token);
        }
        ended
    }
}

/// Reads what all users see.
pub(super) async fn all(client: &Client, accounts: &[Account]) -> Result<Seen, CallError> {
    let mut all = Seen::default();
    let mut known = BTreeSet::new();
    for (n, account) in accounts.iter().enumerate() {
        let seen = account.seen(client, n).await?;
        all.groups.extend(seen.groups);
        let new = seen
            .servers
            .into_iter()
            .filter(|server| known.insert(server.listed.id));
        all.servers.extend(new);
        let (known, own) = (&mut all.monitoring, seen.monitoring);
        known.interval = known.interval.or(own.interval);
        known.keep_history = known.keep_history.or(own.keep_history);
    }
    Ok(all)
}

async fn read(
    client: &Client,
    user: &UserSettings,
    token: &Token,
    number: usize,
) -> Result<Seen, CallError> {
    let groups = match get(client, user, token, "api/groups", contract::groups).await {
        // Some builds show groups to a superAdmin only: then they are called by their numbers, or as settings say.
        Err(error) if matches!(error.problem, Problem::Forbidden(_)) => BTreeMap::new(),
        groups => groups?,
    };
    let monitoring = get(
        client,
        user,
        token,
        "api/settings/monitoring",
        contract::monitoring,
    );
    let monitoring = monitoring.await?;
    let listed = get(client, user, token, "api/servers", contract::servers).await?;
    let servers = stream::iter(listed)
        .map(|listed| async move {
            let switches = if listed.is_virtual {
                None
            } else {
                switches(client, user, token, listed.id).await?
            };
            Ok::<_, CallError>(Server {
                listed,
                switches,
                user: number,
            })
        })
        .buffered(AT_ONCE)
        .try_collect();
    Ok(Seen {
        groups,
        monitoring,
        servers: servers.await?,
    })
}

fn path_of(server: u64) -> String {
    format!("api/server/portscanner/{server}")
}

async fn switches(
    client: &Client,
    user: &UserSettings,
    token: &Token,
    server: u64,
) -> Result<Option<Switches>, CallError> {
    let read = |json: &Value| contract::switches(json, server).map(Some);
    match get(client, user, token, &path_of(server), read).await {
        // The server is there, and nobody ever set its switches.
        Err(error) if matches!(error.problem, Problem::NotFound(_)) => Ok(None),
        ended => ended,
    }
}

async fn get<T>(
    client: &Client,
    user: &UserSettings,
    token: &Token,
    path: &str,
    read: impl FnOnce(&Value) -> Result<T, String>,
) -> Result<T, CallError> {
    let json = client.get(user, token, path).await?;
    let unreadable = |cause| failed(&format!("GET /{path}"), user, Problem::Unreadable(cause));
    read(&json).map_err(unreadable)
}
