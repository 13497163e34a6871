//! Targets from Roxy-WI: its servers, their groups and their three switches, read again and again.
//!
//! Roxy-WI's word is the only one: nothing of it is stored but the targets that follow from it. Everything is read
//! first (`read`), then it is decided which targets there are (`plan`), then they are saved in one transaction, as those
//! of any source are. If any of it fails, nothing changes.

mod answer;
mod client;
mod compare;
mod contract;
mod numbers;
mod plan;
mod read;
mod retention;
mod settings;
mod standing;
mod switch;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use portwatch_store::history::GroupRetention;
use portwatch_store::targets::Synced;
use portwatch_store::{Store, StoreError, retry_while_unavailable};
use tokio_util::sync::CancellationToken;

pub use client::CallError;
pub use compare::{Becomes, Difference};
pub use settings::{InvalidRoxyWi, RoxyWiSettings, UserSettings};
pub use switch::{SetError, SwitchesSet};

use crate::settings::{Groups, Settings};
use crate::targets::Source;
use client::Client;
use plan::{Planned, Rules};
use read::{Account, Seen};
use standing::Standing;

/// How often is read at the most until nobody else saves meanwhile.
const READINGS: u32 = 3;

/// Why the targets are as they were.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Roxy-WI could not be asked, or what it says cannot be.
    #[error("Roxy-WI at {url}: {cause}")]
    Call {
        /// Where.
        url: String,
        /// Why.
        cause: Box<CallError>,
    },
    /// The store could not be reached, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a look at Roxy-WI found.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// How many targets there are by what it says.
    pub targets: usize,
    /// Which of them are other than what is stored.
    pub differences: Vec<Difference>,
    /// Servers that cannot be watched as they are, and why.
    pub refused: Vec<String>,
}

/// One Roxy-WI, and how the sync with it stands.
pub struct RoxyWi {
    client: Client,
    accounts: Vec<Account>,
    rules: Rules,
    every: Duration,
    write_back: bool,
    /// What the settings say of groups' histories.
    keep_history: Vec<GroupRetention>,
    /// As it was written, for people.
    url: String,
    standing: Mutex<Standing>,
}

impl RoxyWi {
    /// The Roxy-WI that the settings name, if they name one.
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub fn configured(settings: &Settings) -> Result<Option<Self>, InvalidRoxyWi> {
        let own = &settings.roxy_wi;
        let Some(access) = own.read()? else {
            return Ok(None);
        };
        let client = Client::new(&access).map_err(|cause| InvalidRoxyWi::Key {
            key: "url".to_owned(),
            cause,
        })?;
        if settings::is_in_the_clear(&access.base) {
            tracing::warn!(
                "scheduler.roxy_wi.url: the password goes over the network unencrypted: use https://"
            );
        }
        Ok(Some(Self {
            client,
            accounts: access.users.into_iter().map(Account::new).collect(),
            rules: Rules {
                prefix: own.prefix.clone(),
                group_names: access.groups,
                groups: Groups::read(&settings.groups)?,
            },
            every: access.every,
            write_back: own.write_back,
            keep_history: settings.retention(),
            url: own.url.clone(),
            standing: Mutex::default(),
        }))
    }

    /// Reads everything and says what a sync would change. Changes nothing.
    ///
    /// # Errors
    /// If any of the readings fails.
    pub async fn look(&self, store: &Store) -> Result<Look, SyncError> {
        Ok(self.planned(store).await?.1)
    }

    /// Reads everything, and makes the targets that follow from it.
    ///
    /// # Errors
    /// If any of the readings fails, or the store does. Then nothing was changed.
    pub async fn sync(&self, store: &Store) -> Result<Look, SyncError> {
        Ok(self.synced(store).await?.1)
    }

    async fn synced(&self, store: &Store) -> Result<(Planned, Look), SyncError> {
        let (planned, look) = self.planned(store).await?;
        self.keep(store, planned.retention.clone()).await?;
        save(store, &planned).await?;
        self.keep_numbers(store, &planned).await?;
        Ok((planned, look))
    }

    /// How the sync stands, in words, for those who ask for the health of the process.
    pub fn note(&self) -> String {
        self.standing().to_string()
    }

    /// How many servers Roxy-WI lists; everything is read for it that a sync needs, and nothing changed.
    ///
    /// # Errors
    /// If any of the readings fails.
    pub async fn servers(&self) -> Result<usize, SyncError> {
        Ok(self.seen().await?.servers.len())
    }

    async fn seen(&self) -> Result<Seen, SyncError> {
        let seen = read::all(&self.client, &self.accounts).await;
        seen.map_err(|cause| self.failed(cause))
    }

    async fn planned(&self, store: &Store) -> Result<(Planned, Look), SyncError> {
        let installation = store.installation().await?;
        let targets = || store.targets_of(Source::RoxyWi.as_str());
        let mut before = targets().await?;
        let (mut seen, mut stored) = (self.seen().await?, targets().await?);
        for _ in 1..READINGS {
            if stored == before {
                break;
            }
            // Somebody else saved meanwhile, and may know what is newer than what was read here.
            before = stored;
            (seen, stored) = (self.seen().await?, targets().await?);
        }
        let planned = plan::plan(&seen, &self.rules, &stored, installation);
        let look = Look {
            targets: planned.targets.len(),
            differences: compare::compare(&stored, &planned.targets()),
            refused: planned.refused.clone(),
        };
        Ok((planned, look))
    }

    fn failed(&self, cause: CallError) -> SyncError {
        SyncError::Call {
            url: self.url.clone(),
            cause: Box::new(cause),
        }
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn save(store: &Store, planned: &Planned) -> Result<Synced, StoreError> {
    let synced = store
        .sync_targets(
            Source::RoxyWi.as_str(),
            &planned.targets(),
            Timestamp::now(),
        )
        .await?;
    if synced != Synced::default() {
        tracing::info!(
            created = synced.created,
            updated = synced.updated,
            retired = synced.retired,
            "targets synced with Roxy-WI"
        );
    }
    Ok(synced)
}

/// Runs until the token is cancelled. Without a Roxy-WI, the targets that once came from one are watched no longer.
pub(crate) async fn run(roxy_wi: Option<&RoxyWi>, store: &Store, shutdown: &CancellationToken) {
    let Some(roxy_wi) = roxy_wi else {
        let none = Planned::default();
        let retire = || save(store, &none);
        if let Err(error) =
            retry_while_unavailable("retiring Roxy-WI's targets", shutdown, retire).await
        {
            tracing::error!(%error, "targets that came from Roxy-WI may still be watched");
        }
        return;
    };
    while !shutdown.is_cancelled() {
        // A sync that is broken off has saved all or nothing.
        tokio::select! {
            ended = roxy_wi.sync(store) => roxy_wi.standing().note(ended, Timestamp::now()),
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(roxy_wi.every) => {}
            () = shutdown.cancelled() => return,
        }
    }
}
