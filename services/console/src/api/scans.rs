//! `/api/v1/targets/{target}/scans`: scans outside the schedule.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::Shared;
use crate::answer::{Refusal, answer, found};
use crate::caller::Caller;
use crate::{scan_now, servers};

/// `POST`: asks for one.
pub(super) async fn ask(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(key): Path<String>,
) -> Result<Response, Refusal> {
    let server = servers::one(&shared, &caller, &key).await?;
    let scan = scan_now::ask(&shared, &caller, &server).await?;
    Ok(answer(StatusCode::ACCEPTED, &json!({ "scan": scan })))
}

/// `GET …/{scan}`: how far it is.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((key, scan)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    servers::one(&shared, &caller, &key).await?;
    let scan = scan_now::id(&scan)?;
    let state = scan_now::state(&shared, scan).await?;
    Ok(found(&json!({
        "scan": scan,
        "run": state.run,
        "jobs": state.jobs,
        "finished": state.finished,
        "expired": state.expired,
        "is_over": state.is_over(),
    })))
}
