//! Setting switches: in the store, or where a target's source keeps them itself.

use jiff::Timestamp;
use portwatch_domain::access::Role;
use portwatch_domain::target::Switching;
use portwatch_store::access::AuditEntry;
use portwatch_store::targets::SetSwitches;

use crate::answer::Refusal;
use crate::caller::Caller;
use crate::servers::Server;
use crate::{NotSet, Shared};

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
