//! `/api/v1/targets`: what is watched, how it stands, and its switches.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use portwatch_domain::target::Switching;
use serde::Deserialize;
use serde_json::{Value, json};

use super::limit;
use crate::Shared;
use crate::answer::{Asked, Refusal, found};
use crate::caller::Caller;
use crate::servers::{self, Server};
use crate::switches;

/// So many are listed if the request does not say.
const USUAL: u32 = 1_000;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    group: Option<String>,
    limit: Option<u32>,
    #[serde(default)]
    offset: usize,
}

/// `GET /api/v1/targets?group=…&limit=…&offset=…`, by name.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Refusal> {
    let limit = limit(query.limit, USUAL)?;
    let mut servers = servers::all(&shared, &caller).await?;
    if let Some(group) = &query.group {
        servers.retain(|server| server.state.target.group == *group);
    }
    let total = servers.len();
    let page = servers.iter().skip(query.offset).take(limit as usize);
    let page: Vec<_> = page.map(object).collect();
    Ok(found(&json!({ "total": total, "targets": page })))
}

/// `GET /api/v1/targets/{number, id or address}`.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(key): Path<String>,
) -> Result<Response, Refusal> {
    let server = servers::one(&shared, &caller, &key).await?;
    Ok(found(&object(&server)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchesBody {
    enabled: Option<bool>,
    notify: Option<bool>,
    history: Option<bool>,
}

/// `PATCH /api/v1/targets/{target}/switches`: sets those that are named.
pub(super) async fn switch(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(key): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let server = servers::one(&shared, &caller, &key).await?;
    let body: SwitchesBody = serde_json::from_slice(&body)
        .map_err(|error| Refusal::Wrong(format!("the body: {error}")))?;
    let switching = Switching {
        enabled: body.enabled,
        notify: body.notify,
        history: body.history,
    };
    if switching == Switching::default() {
        let text = "the body: name enabled, notify or history, true or false";
        return Err(Refusal::Wrong(text.to_owned()));
    }
    switches::set(&shared, &caller, &server, switching).await?;
    let server = servers::one(&shared, &caller, &key).await?;
    Ok(found(&object(&server)))
}

fn object(server: &Server) -> Value {
    let (state, target) = (&server.state, &server.state.target);
    let switches = target.switches;
    json!({
        "id": target.id.0,
        "number": server.number,
        "name": target.name,
        "group": target.group,
        "tags": target.tags,
        "zone": target.zone.as_str(),
        "addresses": server.addresses(),
        "schedule": target.schedule.to_string(),
        "source": state.source,
        "enabled": switches.enabled,
        "notify": switches.notify,
        "history": switches.history,
        "set": {
            "enabled": state.set.enabled,
            "notify": state.set.notify,
            "history": state.set.history,
            "by": state.set_by,
        },
        "last_scanned": state.scanned_at,
        "next_due": state.next_due_at,
        "overdue_since": state.overdue_since,
        "run": state.run,
        "hosts": state.hosts,
        "hosts_up": state.hosts_up,
        "open_ports": state.open_ports,
        "unexpected_open": state.unexpected_open,
        "expected_closed": state.expected_closed,
    })
}
