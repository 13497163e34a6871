//! Pages for people: those that Roxy-WI's users know, in their words, and nothing that needs a script.

mod history;
mod html;
mod login;
mod scan;
mod servers;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

use crate::Shared;
use crate::answer::{Asked, Refusal};
use crate::caller::Caller;

/// The page that Roxy-WI's users look for.
const HOME: &str = "/portscanner";

/// The routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(|| async { Redirect::to(HOME) }))
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route(HOME, get(servers::list))
        .route("/portscanner/{server}", get(history::show))
        .route("/portscanner/{server}/switches", post(servers::switch))
        .route("/portscanner/{server}/scan", post(scan::ask))
        .route("/portscanner/{server}/scan/{scan}", get(scan::show))
        .route(
            "/console.css",
            get(|| async {
                file(
                    "text/css; charset=utf-8",
                    include_str!("../pages/console.css"),
                )
            }),
        )
        .route(
            "/console.svg",
            get(|| async { file("image/svg+xml", include_str!("../pages/console.svg")) }),
        )
        .route(
            "/console.js",
            get(|| async {
                file(
                    "text/javascript; charset=utf-8",
                    include_str!("../pages/console.js"),
                )
            }),
        )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")];
    (headers, text).into_response()
}

/// Somebody who looks at a page, and is sent to log in if nobody is.
struct Visitor(Caller);

impl FromRequestParts<Arc<Shared>> for Visitor {
    type Rejection = Unshown;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        match Caller::from_request_parts(parts, shared).await {
            Ok(caller) => Ok(Self(caller)),
            Err(Refusal::NotLoggedIn) => {
                let is_page = parts.method == Method::GET;
                let next = if is_page { parts.uri.path() } else { HOME };
                Err(Unshown::LogIn(next.to_owned()))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// What stands behind the question mark of a page's address.
struct Shown<T>(T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Shown<T> {
    type Rejection = Unshown;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Asked(asked) = Asked::from_request_parts(parts, state).await?;
        Ok(Self(asked))
    }
}

/// Why a page is not shown.
enum Unshown {
    /// Nobody is logged in, who wanted to see this.
    LogIn(String),
    Refused(Refusal),
}

impl From<Refusal> for Unshown {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<portwatch_store::StoreError> for Unshown {
    fn from(error: portwatch_store::StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl IntoResponse for Unshown {
    fn into_response(self) -> Response {
        match self {
            // Only paths of our own, so nothing has to be escaped but nothing is lost either.
            Self::LogIn(next) => Redirect::to(&format!("/login?next={next}")).into_response(),
            Self::Refused(refusal) => html::refused(&refusal),
        }
    }
}
