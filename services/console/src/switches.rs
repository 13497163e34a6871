//! Setting switches: in the store, or where a target's source keeps them itself.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use portwatch_domain::access::Role;
use portwatch_domain::target::{Switching, TargetId};
use portwatch_store::access::AuditEntry;
use portwatch_store::targets::SetSwitches;

use crate::Shared;
use crate::answer::Refusal;
use crate::caller::Caller;
use crate::servers::Server;

/// Why a source has not set switches, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSet {
    /// It is not to be set from here.
    Refused(String),
    /// It could not be asked.
    Failed(String),
}

/// Sets switches where a source keeps them itself.
pub type SetAtSource =
    Arc<dyn Fn(TargetId, Switching) -> BoxFuture<'static, Result<(), NotSet>> + Send + Sync>;

/// Sets switches of a server that the caller sees.
pub(crate) async fn set(
    shared: &Shared,
    caller: &Caller,
    server: &Server,
    switching: Switching,
) -> Result<(), Refusal> {
    caller.needs(Role::Operator)?;
    let (store, target) = (&shared.deps.store, &server.state.target);
    let now = Timestamp::now();
    if let Some(at_source) = shared.deps.sources.get(server.state.source.as_str()) {
        let set = at_source(target.id, switching).await;
        set.map_err(|cause| match cause {
            NotSet::Refused(words) => Refusal::Conflict(words),
            NotSet::Failed(words) => Refusal::Source(words),
        })?;
        store
            .note(AuditEntry {
                at: now,
                actor: caller.name.clone(),
                action: "switches.set".to_owned(),
                about: format!("{}/{}", target.group, target.name),
                detail: format!("{switching} (in {})", server.state.source),
            })
            .await?;
        return Ok(());
    }
    let set = SetSwitches::These(switching);
    match store
        .set_switches(target.id, set, &caller.name, now)
        .await?
    {
        Some(_) => Ok(()),
        None => Err(Refusal::NotFound(
            "Cannot find server: Resource not found".to_owned(),
        )),
    }
}
