//! `/api/v1/targets/{target}/history`: what happened, newest first.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use portwatch_domain::change::ChangeKind;
use portwatch_domain::ports::Port;
use portwatch_store::history::{HistoryFilter, HistoryRow};
use serde::Deserialize;
use serde_json::{Value, json};

use super::limit;
use crate::Shared;
use crate::answer::{Asked, Refusal, found};
use crate::caller::Caller;
use crate::roxy_wi::service;
use crate::servers;

/// So many are listed if the request does not say.
const USUAL: u32 = 100;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    limit: Option<u32>,
    port: Option<u16>,
    kind: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// `GET …?limit=…&port=…&kind=port.opened,port.closed&from=…&to=…`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(key): Path<String>,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Refusal> {
    let server = servers::one(&shared, &caller, &key).await?;
    let limit = limit(query.limit, USUAL)?;
    let kinds = query.kind.as_deref().unwrap_or_default().split(',');
    let kinds = kinds.filter(|kind| !kind.is_empty()).map(str::parse);
    let kinds: Result<Vec<ChangeKind>, _> = kinds.collect();
    let filter = HistoryFilter {
        port: query.port.map(Port::tcp),
        kinds: kinds.map_err(|error| Refusal::Wrong(format!("kind: {error}")))?,
        from: query.from,
        to: query.to,
        ..HistoryFilter::of(server.state.target.id, limit)
    };
    let rows = shared.deps.store.history(filter).await?;
    let changes: Vec<_> = rows.iter().map(object).collect();
    Ok(found(&json!({ "changes": changes })))
}

fn object(row: &HistoryRow) -> Value {
    let change = &row.change;
    let port = change.transition.port();
    json!({
        "id": change.id.0,
        "kind": change.kind().as_str(),
        "at": change.at,
        "severity": change.severity.as_str(),
        "ip": row.ip(),
        "port": port.map(|port| port.number),
        "protocol": port.map(|port| port.protocol.as_str()),
        "service": port.and_then(|_| service(change)),
        "told": change.is_news(),
        "run": row.run,
    })
}
