//! A scan outside the schedule, and how far it is.

use jiff::Timestamp;
use portwatch_domain::access::Role;
use portwatch_store::access::AuditEntry;
use portwatch_store::requests::{NewRequest, RequestKind, RequestState};
use uuid::Uuid;

use crate::Shared;
use crate::answer::Refusal;
use crate::caller::Caller;
use crate::servers::Server;

/// Asks for a scan of a server that the caller sees; gives the request's id.
pub(crate) async fn ask(
    shared: &Shared,
    caller: &Caller,
    server: &Server,
) -> Result<Uuid, Refusal> {
    caller.needs(Role::Operator)?;
    let target = &server.state.target;
    if !target.switches.enabled {
        let text = format!("{} is switched off: enable it first", target.name);
        return Err(Refusal::Conflict(text));
    }
    let now = Timestamp::now();
    let request = NewRequest {
        id: Uuid::new_v4(),
        target: target.id,
        kind: RequestKind::Now,
        hosts: None,
        ports: None,
        asked_at: now,
        due_at: now,
    };
    let id = request.id;
    let store = &shared.deps.store;
    store.add_requests(vec![request]).await?;
    store
        .note(AuditEntry {
            at: now,
            actor: caller.name.clone(),
            action: "scan.now".to_owned(),
            about: format!("{}/{}", target.group, target.name),
            detail: String::new(),
        })
        .await?;
    Ok(id)
}

const GONE: &str = "no such scan was asked for, or its server is watched no longer";

/// The id of a request in a path.
pub(crate) fn id(text: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound(GONE.to_owned()))
}

/// How far it is.
pub(crate) async fn state(shared: &Shared, id: Uuid) -> Result<RequestState, Refusal> {
    let state = shared.deps.store.request(id, Timestamp::now()).await?;
    state.ok_or_else(|| Refusal::NotFound(GONE.to_owned()))
}
