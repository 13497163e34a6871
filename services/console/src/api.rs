//! Our own API, under `/api/v1`: targets, what is open, what happened, switches, scans, the audit log.
//! `schemas/openapi.yaml` describes it.

mod audit;
mod history;
mod ports;
mod scans;
mod targets;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::Shared;
use crate::answer::Refusal;

/// So many entries are listed at the most.
const MOST: u32 = 10_000;

/// The routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/targets", get(targets::list))
        .route("/api/v1/targets/{target}", get(targets::show))
        .route("/api/v1/targets/{target}/ports", get(ports::list))
        .route("/api/v1/targets/{target}/history", get(history::list))
        .route(
            "/api/v1/targets/{target}/switches",
            axum::routing::patch(targets::switch),
        )
        .route("/api/v1/targets/{target}/scans", post(scans::ask))
        .route("/api/v1/targets/{target}/scans/{scan}", get(scans::show))
        .route("/api/v1/audit", get(audit::list))
        .method_not_allowed_fallback(async || Refusal::NoMethod)
}

/// How many entries are listed, if so many are asked for, or usually.
fn limit(asked: Option<u32>, usual: u32) -> Result<u32, Refusal> {
    let limit = asked.unwrap_or(usual);
    if (1..=MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(Refusal::Wrong(format!("limit: 1 to {MOST}")))
    }
}
