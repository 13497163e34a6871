//! `/api/v1/targets/{target}/ports`: which ports are open now.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::Shared;
use crate::answer::{Refusal, found};
use crate::caller::Caller;
use crate::servers::{self, OpenPort};

/// By host and port.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(key): Path<String>,
) -> Result<Response, Refusal> {
    let server = servers::one(&shared, &caller, &key).await?;
    let open = servers::open_ports(&shared, &server).await?;
    let ports: Vec<_> = open.iter().map(object).collect();
    Ok(found(&json!({ "ports": ports })))
}

fn object(open: &OpenPort) -> Value {
    json!({
        "ip": open.ip,
        "host": open.host,
        "host_state": open.host_state.as_str(),
        "port": open.port.number,
        "protocol": open.port.protocol.as_str(),
        "state": "open",
        "service": open.service,
        "since": open.since,
        "first_seen": open.first_seen,
        "last_seen": open.last_seen,
        "expected": open.expected,
    })
}
