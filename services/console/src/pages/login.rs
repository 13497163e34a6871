//! `/login` and `/logout`: the token of a browser is in a cookie that no script can read and no other site can use.

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::SignedDuration;
use minijinja::context;
use serde::Deserialize;

use super::{HOME, Shown, Unshown, html};
use crate::Shared;
use crate::answer::Refusal;
use crate::caller::{COOKIE_NAME, cookie, is_own};
use crate::credentials::hash_of_token;
use crate::login;

const TITLE: &str = "Log in";

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    #[serde(default)]
    next: String,
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Shown(query): Shown<ShowQuery>,
) -> Result<Response, Unshown> {
    let nobody = shared.deps.store.users().await?.is_empty();
    let with = context! { next => own_path(&query.next), nobody };
    Ok(html::page("login.html", TITLE, with))
}

#[derive(Deserialize)]
struct LoginForm {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn log_in(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Unshown> {
    let from = login::from(request.extensions());
    let headers = request.headers().clone();
    if !is_own(&headers) {
        return Err(Refusal::OtherSite.into());
    }
    let form = Form::<LoginForm>::from_request(request, &shared).await;
    let Form(form) = form.map_err(|error| Refusal::Wrong(error.body_text()))?;
    let next = own_path(&form.next);
    let lasts = shared.settings.session;
    let token = match login::log_in(&shared, (&form.login, form.password), from, lasts).await {
        Ok(token) => token,
        Err(refusal @ (Refusal::WrongPassword | Refusal::TooMany { .. })) => {
            let with = context! { next, login => form.login, wrong => refusal.words() };
            return Ok(html::page_with_status(
                refusal.status(),
                "login.html",
                TITLE,
                with,
            ));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    Ok(with_cookie(
        Redirect::to(next).into_response(),
        &headers,
        &token,
        lasts,
    ))
}

pub(super) async fn log_out(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Response, Unshown> {
    if !is_own(&headers) {
        return Err(Refusal::OtherSite.into());
    }
    if let Some(token) = cookie(&headers) {
        shared.deps.store.log_out(hash_of_token(token)).await?;
    }
    let gone = Redirect::to("/login").into_response();
    Ok(with_cookie(gone, &headers, "", SignedDuration::ZERO))
}

fn with_cookie(
    mut response: Response,
    headers: &HeaderMap,
    token: &str,
    lasts: SignedDuration,
) -> Response {
    // A proxy that speaks TLS with the browser says so.
    let is_secure = headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto == "https");
    let secure = if is_secure { "; Secure" } else { "" };
    let seconds = lasts.as_secs();
    let cookie = format!(
        "{COOKIE_NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => {
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Where to go after the login: to a page of our own, whatever the address says.
fn own_path(next: &str) -> &str {
    let is_plain = next
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-._:%".contains(&byte));
    if next.starts_with(HOME) && is_plain && !next.contains("//") {
        next
    } else {
        HOME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_no_other_site() {
        assert_eq!(own_path("/portscanner/7"), "/portscanner/7");
        let others = [
            "",
            "https://evil",
            "//evil",
            "/\\evil",
            "/portscanner//evil",
            "/portscanner\r\nx: y",
            "portscanner",
            "/logout",
        ];
        for other in others {
            assert_eq!(own_path(other), HOME, "{other:?}");
        }
    }
}
