//! The notifier over HTTP, for programs that have its token: who would be told, how channels fare, tests.
//!
//! Beside `/healthz` and `/metrics`, under `/api/v1`. JSON goes in and out; an error is `{"error": "…"}`.

mod request;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use portwatch_runtime::settings::Secret;
use portwatch_store::Store;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::ask::{AskError, ask};
use crate::channels::trial::Tried;
use crate::{Channel, Routing};
use request::RouteRequest;

/// What is longer is no request of this API.
const MOST_BYTES: usize = 64 * 1024;
/// So many tests are under way at once.
const TESTS_AT_ONCE: usize = 4;
/// A token that is shorter could be guessed.
const SHORTEST_TOKEN: usize = 24;

/// What the API works with.
#[derive(Clone)]
pub struct ApiDeps {
    /// What is known.
    pub store: Store,
    /// Who can be told.
    pub channels: Arc<Vec<Channel>>,
    /// Of what.
    pub routing: Arc<Routing>,
}

/// `notifier.api_token` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "notifier.api_token: at least {SHORTEST_TOKEN} characters are needed: `openssl rand -hex 24` makes some"
)]
pub struct InvalidToken;

struct Shared {
    deps: ApiDeps,
    /// Of the token, so that how long a comparison takes says nothing of it.
    token: [u8; 32],
    tests: Semaphore,
}

/// The API; `None` without a token.
///
/// # Errors
/// If the token is too short.
pub fn router(deps: ApiDeps, token: &Secret) -> Result<Option<Router>, InvalidToken> {
    let token = token.reveal();
    if token.is_empty() {
        return Ok(None);
    }
    if token.len() < SHORTEST_TOKEN {
        return Err(InvalidToken);
    }
    let shared = Arc::new(Shared {
        deps,
        token: Sha256::digest(token).into(),
        tests: Semaphore::new(TESTS_AT_ONCE),
    });
    let api = Router::new()
        .route("/api/v1/route", post(route))
        .route("/api/v1/channels", get(channels))
        .route("/api/v1/channels/{name}/test", post(test))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(shared.clone(), permitted))
        .with_state(shared);
    Ok(Some(api))
}

async fn permitted(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let is_it = |given: &str| <[u8; 32]>::from(Sha256::digest(given.trim())) == shared.token;
    if given.is_some_and(is_it) {
        return next.run(request).await;
    }
    let text = "give notifier.api_token of the settings: Authorization: Bearer …";
    let mut answer = error(StatusCode::UNAUTHORIZED, text);
    let headers = answer.headers_mut();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

async fn route(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let asked = match RouteRequest::read(&body) {
        Ok(asked) => asked,
        Err(cause) => return error(StatusCode::BAD_REQUEST, &cause),
    };
    let deps = &shared.deps;
    match ask(&deps.store, &deps.routing, &asked).await {
        Ok(said) => answer(StatusCode::OK, &said),
        Err(cause @ AskError::NoTarget(_)) => error(StatusCode::NOT_FOUND, &cause.to_string()),
        Err(AskError::Store(cause)) => unavailable(&cause),
        Err(cause) => error(StatusCode::BAD_REQUEST, &cause.to_string()),
    }
}

async fn channels(State(shared): State<Arc<Shared>>) -> Response {
    let states = match shared.deps.store.channels().await {
        Ok(states) => states,
        Err(cause) => return unavailable(&cause),
    };
    let channels = shared.deps.channels.iter();
    let one = |channel: &Channel| {
        let state = states.iter().find(|state| state.name == channel.name());
        let off = state.and_then(|state| state.off.as_ref());
        json!({
            "name": channel.name(),
            "failing_since": state.and_then(|state| state.failing_since),
            "off": off.map(|off| json!({ "at": off.at, "by": off.by, "reason": off.reason })),
            "pending": state.map_or(0, |state| state.pending),
            "given_up": state.map_or(0, |state| state.given_up),
        })
    };
    let listed: Vec<_> = channels.map(one).collect();
    answer(StatusCode::OK, &json!({ "channels": listed }))
}

async fn test(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let mut channels = shared.deps.channels.iter();
    let Some(channel) = channels.find(|channel| channel.name() == name) else {
        let names: Vec<_> = shared.deps.channels.iter().map(Channel::name).collect();
        let text = format!("no channel {name:?}: there are {}", names.join(", "));
        return error(StatusCode::NOT_FOUND, &text);
    };
    let Ok(_turn) = shared.tests.try_acquire() else {
        let text = format!("{TESTS_AT_ONCE} tests are under way: ask again when one has ended");
        return error(StatusCode::TOO_MANY_REQUESTS, &text);
    };
    let trial = channel.test().await;
    tracing::info!(
        channel = channel.name(),
        taken = trial.result.is_ok(),
        "tested over HTTP"
    );
    answer(StatusCode::OK, &Tried::new(channel.name(), trial))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let kind = [(CONTENT_TYPE, "application/json")];
    match serde_json::to_vec(body) {
        Ok(body) => (status, kind, body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn error(status: StatusCode, text: &str) -> Response {
    answer(status, &json!({ "error": text }))
}

fn unavailable(cause: &portwatch_store::StoreError) -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, &cause.to_string())
}
