//! `/api/v1/audit`: what was changed by whom.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use portwatch_domain::access::{Groups, Role};
use serde::Deserialize;
use serde_json::json;

use super::limit;
use crate::Shared;
use crate::answer::{Asked, Refusal, found};
use crate::caller::Caller;

/// So many are listed if the request does not say.
const USUAL: u32 = 100;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    limit: Option<u32>,
}

/// `GET /api/v1/audit?limit=…`, newest first: for administrators of all groups, because it is of all groups.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Refusal> {
    caller.needs(Role::Admin)?;
    if caller.scope.groups != Groups::All {
        return Err(Refusal::MayNot);
    }
    let limit = limit(query.limit, USUAL)?;
    let entries = shared.deps.store.audit(limit).await?;
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "at": entry.at,
                "actor": entry.actor,
                "action": entry.action,
                "about": entry.about,
                "detail": entry.detail,
            })
        })
        .collect();
    Ok(found(&json!({ "entries": entries })))
}
