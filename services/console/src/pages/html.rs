//! Makes pages of templates. What is put in is escaped, and browsers are told to trust nothing else.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use minijinja::{AutoEscape, Environment, Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::Refusal;

/// Nothing but our own style, script and forms; nobody shows us in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// All pages, by name.
const PAGES: [(&str, &str); 6] = [
    ("frame.html", include_str!("../../pages/frame.html")),
    ("login.html", include_str!("../../pages/login.html")),
    ("servers.html", include_str!("../../pages/servers.html")),
    ("history.html", include_str!("../../pages/history.html")),
    ("scan.html", include_str!("../../pages/scan.html")),
    ("refused.html", include_str!("../../pages/refused.html")),
];

static ENVIRONMENT: LazyLock<Result<Environment<'static>, minijinja::Error>> =
    LazyLock::new(|| {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        for (name, page) in PAGES {
            environment.add_template(name, page)?;
        }
        Ok(environment)
    });

/// A page with this title.
pub(super) fn page(name: &str, title: &str, with: Value) -> Response {
    page_with_status(StatusCode::OK, name, title, with)
}

/// A page that says that something is not as it was asked for.
pub(super) fn page_with_status(
    status: StatusCode,
    name: &str,
    title: &str,
    with: Value,
) -> Response {
    let rendered = render(name, title, with);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    match rendered {
        Ok(html) => (status, headers, html).into_response(),
        Err(error) => {
            tracing::error!(%error, page = name, "a page cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What stands between header and end of a page, in the frame that all have.
fn render(name: &str, title: &str, with: Value) -> Result<String, String> {
    let environment = ENVIRONMENT.as_ref().map_err(ToString::to_string)?;
    let render = |name: &str, with: Value| {
        let template = environment.get_template(name);
        let rendered = template.and_then(|template| template.render(with));
        rendered.map_err(|error| error.to_string())
    };
    let body = Value::from_safe_string(render(name, with.clone())?);
    render("frame.html", context! { title, body, ..with })
}

/// What a search looks like in an address.
pub(super) fn query(search: &str) -> String {
    utf8_percent_encode(search, NON_ALPHANUMERIC).to_string()
}

/// Why something is refused, as a page.
pub(super) fn refused(refusal: &Refusal) -> Response {
    let with = context! { words => refusal.words() };
    let mut response = page_with_status(refusal.status(), "refused.html", "Not possible", with);
    if let Refusal::TooMany { seconds } = refusal {
        response
            .headers_mut()
            .insert(RETRY_AFTER, (*seconds).into());
    }
    response
}

/// A time as people read it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_page_is_a_template() {
        let environment = ENVIRONMENT.as_ref().unwrap();
        for (name, _) in PAGES {
            environment.get_template(name).unwrap();
        }
    }

    #[test]
    fn what_is_put_in_is_escaped() {
        let hostile = "<script>\"'&";
        let html = render("refused.html", hostile, context! { words => hostile }).unwrap();
        assert!(!html.contains("<script>\""), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), 2, "{html}");
    }
}
