//! What is answered: JSON, and why something is refused, in the shape that programs written for Roxy-WI read.

use axum::extract::{FromRequestParts, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use portwatch_store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nobody is logged in.
    #[error(
        "401 Unauthorized: log in with POST /api/login, and send Authorization: Bearer and the token"
    )]
    NotLoggedIn,
    /// Who is logged in may not do that.
    #[error("403 Forbidden: bad permission")]
    MayNot,
    /// A page of another site asks in somebody's name.
    #[error("403 Forbidden: this was asked by a page of another site")]
    OtherSite,
    /// There is no such thing, or it is not theirs.
    #[error("{0}")]
    NotFound(String),
    /// The path is one of ours, and the method none.
    #[error("405 Method Not Allowed: The method is not allowed for the requested URL.")]
    NoMethod,
    /// What was sent is wrong.
    #[error("{0}")]
    Wrong(String),
    /// Several things that were sent are wrong, each by its field.
    #[error("{}", .0.join("; "))]
    WrongFields(Vec<String>),
    /// It cannot be as things stand.
    #[error("{0}")]
    Conflict(String),
    /// Where the switches are kept does not answer.
    #[error("{0}")]
    Source(String),
    /// The name or the password is wrong.
    #[error("the login or the password is wrong")]
    WrongPassword,
    /// Too many failures, or too many at once.
    #[error("too many attempts: try again in {seconds} s")]
    TooMany {
        /// After how long.
        seconds: i64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotLoggedIn | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::MayNot | Self::OtherSite => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Wrong(_) | Self::WrongFields(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Source(_) => StatusCode::BAD_GATEWAY,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// In words that are fit for anybody: what the store said goes to the log alone.
    pub fn words(&self) -> String {
        match self {
            Self::Unavailable(error) => {
                tracing::error!(%error, "a request could not be answered");
                "the database does not answer: try again".to_owned()
            }
            other => other.to_string(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error: Value = match &self {
            Self::WrongFields(fields) => json!(fields),
            other => other.words().into(),
        };
        let mut response = answer(
            self.status(),
            &json!({ "error": error, "status": "failed" }),
        );
        let headers = response.headers_mut();
        if let Self::NotLoggedIn = self {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::TooMany { seconds } = self {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What stands behind the question mark of the address.
pub(crate) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(Refusal::Wrong(error.body_text())),
        }
    }
}

/// A JSON answer.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    match serde_json::to_vec(body) {
        Ok(body) => (status, headers, body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What was found, as JSON.
pub(crate) fn found(body: &impl Serialize) -> Response {
    answer(StatusCode::OK, body)
}
