//! Who asks: by a token of a program or of a login, in `Authorization` or, for browsers, in a cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use jiff::Timestamp;
use portwatch_domain::access::{Role, Scope};

use crate::Shared;
use crate::answer::Refusal;
use crate::credentials::hash_of_token;

/// The cookie that holds the token of a browser.
pub(crate) const COOKIE_NAME: &str = "portwatch_session";

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The user's name, or that of the token.
    pub name: String,
    /// What may be seen and done.
    pub scope: Scope,
}

impl Caller {
    /// Refuses what needs a higher role.
    pub fn needs(&self, role: Role) -> Result<(), Refusal> {
        if self.scope.may(role) {
            Ok(())
        } else {
            Err(Refusal::MayNot)
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        let headers = &parts.headers;
        let token = if let Some(token) = bearer(headers) {
            token
        } else {
            let token = cookie(headers).ok_or(Refusal::NotLoggedIn)?;
            if !(parts.method.is_safe() || is_own(headers)) {
                return Err(Refusal::OtherSite);
            }
            token
        };
        let store = &shared.deps.store;
        let bearer = store.bearer(hash_of_token(token), Timestamp::now()).await?;
        let bearer = bearer.ok_or(Refusal::NotLoggedIn)?;
        Ok(Self {
            name: bearer.name,
            scope: bearer.scope,
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// The token of the cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(COOKIE).into_iter();
    let cookies = values.filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

/// Whether a page of our own asks. Browsers say so in `Sec-Fetch-Site`, and older ones in `Origin`; one that says
/// neither is not believed.
pub(crate) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    match (origin, text(HOST.as_str())) {
        (Some((_, origin)), Some(host)) => origin == host,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().copied();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn tokens_are_read_as_browsers_and_programs_write_them() {
        let one = headers(&[("authorization", "bearer  abc ")]);
        assert_eq!(bearer(&one), Some("abc"));
        let basic = headers(&[("authorization", "Basic abc")]);
        assert_eq!(bearer(&basic), None);
        let some = headers(&[("cookie", "a=b; portwatch_session=abc; portwatch_sessions=x")]);
        assert_eq!(cookie(&some), Some("abc"));
        assert_eq!(
            cookie(&headers(&[("cookie", "x_portwatch_session=abc")])),
            None
        );
    }

    #[test]
    fn another_site_cannot_ask_in_somebodys_name() {
        let cases: &[(&[(&'static str, &str)], bool)] = &[
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://a:8911"), ("host", "a:8911")], true),
            (&[("origin", "https://evil"), ("host", "a:8911")], false),
            (&[("origin", "null"), ("host", "a:8911")], false),
            (&[("host", "a:8911")], false),
        ];
        for (given, expected) in cases {
            assert_eq!(is_own(&headers(given)), *expected, "{given:?}");
        }
    }
}
