//! `/healthz` (the process lives), `/readyz` (what it needs is there), `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long one readiness check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

type Check =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

type Note = Box<dyn Fn() -> String + Send + Sync>;

/// The checks behind `/readyz`, by name, and what is told beside them.
#[derive(Default)]
pub struct Readiness {
    checks: BTreeMap<&'static str, Check>,
    notes: BTreeMap<&'static str, Note>,
}

impl Readiness {
    /// Adds a check that is run at every question.
    #[must_use]
    pub fn with<F, Fut, E>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let check: Check = Box::new(move || {
            let answer = check();
            Box::pin(async move { answer.await.map_err(|error| error.to_string()) })
        });
        self.checks.insert(name, check);
        self
    }

    /// Adds how something stands without which the process does its work all the same.
    #[must_use]
    pub fn with_note(
        mut self,
        name: &'static str,
        note: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        self.notes.insert(name, Box::new(note));
        self
    }

    /// Runs all checks; each is `Ok`, or what is wrong.
    async fn ask(&self) -> BTreeMap<&'static str, Result<(), String>> {
        let mut answers = BTreeMap::new();
        for (&name, check) in &self.checks {
            let answer = tokio::time::timeout(CHECK_TIMEOUT, check()).await;
            let answer = answer
                .unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())));
            answers.insert(name, answer);
        }
        answers
    }
}

/// The address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "listening on {address} for health and metrics: {cause} (choose another address with runtime.listen or --listen)"
)]
pub struct ListenError {
    address: SocketAddr,
    cause: std::io::Error,
}

struct Shared {
    readiness: Readiness,
    metrics: PrometheusHandle,
}

/// Listens on `address` and answers until the token is cancelled, `more` as well. Returns the address that is
/// listened on, with the port that the kernel chose if 0 was asked for.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    metrics: PrometheusHandle,
    more: Option<Router>,
    shutdown: CancellationToken,
) -> Result<SocketAddr, ListenError> {
    let failed = |cause| ListenError { address, cause };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render_metrics))
        .with_state(Arc::new(Shared { readiness, metrics }))
        .merge(more.unwrap_or_default())
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move {
        let served = axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "health and metrics are no longer served");
        }
    });
    Ok(bound)
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let answers = shared.readiness.ask().await;
    let ready = answers.values().all(Result::is_ok);
    let checks: BTreeMap<_, _> = answers
        .into_iter()
        .map(|(name, answer)| (name, answer.err().unwrap_or_else(|| "ok".to_owned())))
        .collect();
    let mut body =
        serde_json::json!({ "status": if ready { "ok" } else { "not ready" }, "checks": checks });
    let notes = shared.readiness.notes.iter();
    let notes: BTreeMap<_, _> = notes.map(|(name, note)| (name, note())).collect();
    if !notes.is_empty() {
        body["notes"] = serde_json::json!(notes);
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
        .into_response()
}

async fn render_metrics(State(shared): State<Arc<Shared>>) -> Response {
    shared.metrics.run_upkeep();
    let text = shared.metrics.render();
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
