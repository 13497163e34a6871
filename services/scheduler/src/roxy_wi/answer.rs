//! What an answer of Roxy-WI means. Its content type says nothing (JSON comes as `text/html` as well), and its status
//! not everything: some failures are 200 with `"status":"failed"`.

use serde_json::Value;

/// What every call is answered with where there is no subscription, or the Home plan.
const NO_SUBSCRIPTION: &str = "Your subscription is not active or you are on a Home plan.";

/// How a 404 begins that is about the server, and not about its switches.
const NO_SERVER: &str = "Cannot find server";

/// How much of what Roxy-WI says stands in an error, in characters.
const MOST_SHOWN: usize = 200;

/// An answer, as it came.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No answer.
    #[error("{0}")]
    Unreachable(String),
    /// More than anybody would send who means well.
    #[error("the answer is longer than {0} MiB")]
    TooLong(usize),
    /// The API is closed.
    #[error(
        "Roxy-WI says: {NO_SUBSCRIPTION} Its API is closed then: import the servers from a file, as ops/roxy-wi.md shows"
    )]
    Subscription,
    /// Neither way of logging in led to a token.
    #[error("the login is refused ({0}): check the user and its password (scheduler.roxy_wi)")]
    Login(String),
    /// The token counts no longer.
    #[error("401, also after a new login: {0}")]
    Unauthorized(String),
    /// The role is too low.
    #[error("403: {0}: the user needs the role admin (2) in its group")]
    Forbidden(String),
    /// There is no such thing; Roxy-WI itself says so.
    #[error("404: {0}")]
    NotFound(String),
    /// The server is not there, or not in the user's group.
    #[error("404: {0}: it was deleted or moved meanwhile, or the user's active group was changed")]
    NoServer(String),
    /// Somewhere else.
    #[error("{0}: redirects are not followed, set scheduler.roxy_wi.url to the final address")]
    Redirected(u16),
    /// Another status.
    #[error("{0}: {1}")]
    Status(u16, String),
    /// 200, and yet a failure.
    #[error("Roxy-WI says that it failed: {0}")]
    Failed(String),
    /// Something else answers there.
    #[error("{0}: the answer is no JSON: is scheduler.roxy_wi.url the address of Roxy-WI?")]
    NotJson(u16),
    /// JSON of another kind.
    #[error("{0}")]
    Unreadable(String),
}

impl Answer {
    /// The JSON that was asked for, or why it did not come. Refusals may repeat what was sent: `secret` never stands
    /// in them.
    pub fn judge(&self, secret: &str) -> Result<Value, Problem> {
        let json = serde_json::from_slice::<Value>(&self.body).ok();
        let said = self.said(json.as_ref(), secret);
        if said.contains(NO_SUBSCRIPTION) {
            return Err(Problem::Subscription);
        }
        match (self.status, json) {
            (200..=299, None) => Err(Problem::NotJson(self.status)),
            (200..=299, Some(json)) if json["status"] == "failed" => Err(Problem::Failed(said)),
            (200..=299, Some(json)) => Ok(json),
            (300..=399, _) => Err(Problem::Redirected(self.status)),
            (401, _) => Err(Problem::Unauthorized(said)),
            (403, _) => Err(Problem::Forbidden(said)),
            (404, Some(json)) if json["status"] == "failed" => {
                Err(if said.starts_with(NO_SERVER) {
                    Problem::NoServer(said)
                } else {
                    Problem::NotFound(said)
                })
            }
            // A 404 that is not Roxy-WI's says that nobody answers there, not that something is missing.
            (404, _) => Err(Problem::NotJson(404)),
            (status, _) => Err(Problem::Status(status, said)),
        }
    }

    /// What Roxy-WI says in `error`, a text or a list of texts; else the body's beginning.
    fn said(&self, json: Option<&Value>, secret: &str) -> String {
        let text = match json.map(|json| &json["error"]) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(texts)) => {
                let texts: Vec<_> = texts.iter().filter_map(Value::as_str).collect();
                texts.join(", ")
            }
            _ => String::from_utf8_lossy(&self.body).into_owned(),
        };
        shown(&text.replace(secret, "…"))
    }
}

/// A text from outside in one line, cut to [`MOST_SHOWN`].
pub(super) fn shown(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim()
        .chars()
        .take(MOST_SHOWN)
        .map(printable)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(status: u16, body: &str) -> Result<Value, Problem> {
        let body = body.as_bytes().to_vec();
        Answer { status, body }.judge("s3cret")
    }

    fn failed(status: u16, error: &str) -> Problem {
        let body = json!({ "error": error, "status": "failed" });
        match judged(status, &body.to_string()) {
            Err(problem) => problem,
            Ok(json) => panic!("{json}"),
        }
    }

    #[test]
    fn an_answer_is_judged_by_status_and_content() {
        assert_eq!(judged(200, "[]\n"), Ok(json!([])));
        assert_eq!(
            judged(201, r#"{"status":"Ok"}"#),
            Ok(json!({ "status": "Ok" }))
        );
        let text = |text: &str| text.to_owned();
        for (status, said, problem) in [
            (200, "locked", Problem::Failed(text("locked"))),
            (400, "no", Problem::Status(400, text("no"))),
            (401, "who?", Problem::Unauthorized(text("who?"))),
            (
                403,
                "bad permission",
                Problem::Forbidden(text("bad permission")),
            ),
            (
                404,
                "Cannot get Portscanner settings: Resource not found",
                Problem::NotFound(text("Cannot get Portscanner settings: Resource not found")),
            ),
            (
                404,
                "Cannot find server: Resource not found in group",
                Problem::NoServer(text("Cannot find server: Resource not found in group")),
            ),
            (
                405,
                "405 Method Not Allowed",
                Problem::Status(405, text("405 Method Not Allowed")),
            ),
            (500, "oh", Problem::Status(500, text("oh"))),
        ] {
            assert_eq!(failed(status, said), problem);
        }
        for status in [200, 401] {
            let said = format!("401 Unauthorized: {NO_SUBSCRIPTION}");
            assert_eq!(failed(status, &said), Problem::Subscription);
        }
        assert_eq!(judged(200, "<!doctype html>"), Err(Problem::NotJson(200)));
        assert_eq!(judged(404, "<html>nginx"), Err(Problem::NotJson(404)));
        assert_eq!(judged(302, ""), Err(Problem::Redirected(302)));
    }

    #[test]
    fn what_is_said_is_one_line_without_secrets() {
        let listed = judged(
            400,
            r#"{"error":["password: s3cret is wrong","b"],"status":"failed"}"#,
        );
        assert_eq!(
            listed,
            Err(Problem::Status(400, "password: … is wrong, b".to_owned()))
        );
        let long = "é\u{1b}[2J\n".repeat(100);
        let Err(Problem::Status(_, said)) = judged(500, &long) else {
            panic!("not a status");
        };
        assert!(said.chars().count() == MOST_SHOWN && !said.contains(char::is_control));
    }
}
