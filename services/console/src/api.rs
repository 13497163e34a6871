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
}
