//! A switch that is changed here is changed in Roxy-WI, and counts when it has come back from there: so there is one
//! truth, and nothing to decide between two.

use portwatch_domain::target::{Switches, Switching, TargetId};
use portwatch_store::{Store, StoreError};

use super::plan::Planning;
use super::{CallError, RoxyWi, SyncError};

/// Switches were set in Roxy-WI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchesSet {
    /// The target's name.
    pub target: String,
    /// As Roxy-WI has them now.
    pub switches: Switches,
    /// The target's own: a server that is disabled in Roxy-WI is not scanned, whatever its switches say.
    pub effective: Switches,
}

/// Why no switch was set.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// Settings forbid it.
    #[error(
        "scheduler.roxy_wi.write_back is not set: change the switches in Roxy-WI (Monitoring → Port scanner), or set it to true"
    )]
    NotPermitted,
    /// The target is not one of Roxy-WI's.
    #[error(
        "no server of Roxy-WI makes a target {0:?}: the switches of other targets are in the settings file"
    )]
    NoTarget(String),
    /// More than one has this name.
    #[error("{0} servers of Roxy-WI make a target {1:?}: write GROUP/NAME")]
    Several(usize, String),
    /// Roxy-WI took it, and says otherwise.
    #[error(
        "Roxy-WI took the switches of {0:?}, and says otherwise now: did somebody else change them?"
    )]
    NotKept(String),
    /// Roxy-WI could not be asked, or the store could not be read.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// Roxy-WI has the switches, and the target does not yet.
    #[error(
        "Roxy-WI has the switches of {target:?}; here they count from the next sync on: {cause}"
    )]
    Later {
        /// The target's name.
        target: String,
        /// Why not now.
        cause: SyncError,
    },
}

impl From<StoreError> for SetError {
    fn from(error: StoreError) -> Self {
        Self::Sync(error.into())
    }
}

impl RoxyWi {
    /// Sets switches of the target of this name, or `group/name`, in Roxy-WI, and then syncs.
    ///
    /// # Errors
    /// If settings forbid it, there is no such target, or Roxy-WI or the store fails; each says what became of it.
    pub async fn set(
        &self,
        store: &Store,
        name: &str,
        switch: Switching,
    ) -> Result<SwitchesSet, SetError> {
        self.set_on(store, switch, |targets| named(targets, name))
            .await
    }

    /// As [`set`](Self::set), of the target with this id.
    ///
    /// # Errors
    /// The same.
    pub async fn set_of(
        &self,
        store: &Store,
        id: TargetId,
        switch: Switching,
    ) -> Result<SwitchesSet, SetError> {
        let own = |targets: &[Planning]| {
            let mut targets = targets.iter();
            let found = targets.find(|planned| planned.target.id == id).cloned();
            found.ok_or_else(|| SetError::NoTarget(id.to_string()))
        };
        self.set_on(store, switch, own).await
    }

    async fn set_on(
        &self,
        store: &Store,
        switch: Switching,
        choose: impl FnOnce(&[Planning]) -> Result<Planning, SetError>,
    ) -> Result<SwitchesSet, SetError> {
        if !self.write_back {
            return Err(SetError::NotPermitted);
        }
        let (planned, _) = self.planned(store).await?;
        let Planning {
            target,
            server,
            user,
            ..
        } = &choose(&planned.targets)?;
        let no_user = || SetError::NoTarget(target.name.clone());
        let account = self.accounts.get(*user).ok_or_else(no_user)?;
        let failed = |cause: CallError| self.failed(cause);
        // Read once more: what was ticked meanwhile is not to be taken back.
        let now = account
            .switches(&self.client, *server)
            .await
            .map_err(failed)?;
        let off = Switches {
            enabled: false,
            notify: false,
            history: false,
        };
        let switches = switch.over(now.unwrap_or(off));
        account
            .set_switches(&self.client, *server, switches)
            .await
            .map_err(failed)?;

        let kept = account
            .switches(&self.client, *server)
            .await
            .map_err(failed)?;
        if kept != Some(switches) {
            return Err(SetError::NotKept(target.name.clone()));
        }
        let later = |cause| SetError::Later {
            target: target.name.clone(),
            cause,
        };
        let (planned, _) = self.synced(store).await.map_err(later)?;
        let mut others = planned.targets.into_iter();
        let effective = others.find(|planned| planned.server == *server);
        Ok(SwitchesSet {
            target: target.name.clone(),
            switches,
            effective: effective.map_or(switches, |planned| planned.target.switches),
        })
    }
}

fn named(targets: &[Planning], name: &str) -> Result<Planning, SetError> {
    let is_called = |planned: &&Planning| planned.target.is_called(name);
    let found: Vec<_> = targets.iter().filter(is_called).collect();
    match found.as_slice() {
        [one] => Ok(Planning::clone(one)),
        [] => Err(SetError::NoTarget(name.to_owned())),
        many => Err(SetError::Several(many.len(), name.to_owned())),
    }
}
