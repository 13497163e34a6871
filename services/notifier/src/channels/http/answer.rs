//! What an answer means.

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::notification::retry::Failure;
use reqwest::StatusCode;

use crate::channels::text::Room;
use crate::channels::{Failed, kept};

/// How much of an answer's body stands in the log, in characters.
const MOST_SHOWN: usize = 200;

/// What a receiver answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// What `Retry-After` asks for.
    pub retry_after: Option<SignedDuration>,
    /// The body's beginning, without secrets.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What is kept of the body.
    pub fn kept(&self) -> Option<String> {
        kept(&self.body)
    }

    /// It was not taken.
    pub fn failed(&self, failure: Failure) -> Failed {
        let body = Room::plain(MOST_SHOWN).line(self.body.trim());
        let hint = if self.status.is_redirection() {
            ": redirects are not followed, set the final address"
        } else if body.is_empty() {
            ""
        } else {
            ": "
        };
        let body = if self.status.is_redirection() {
            ""
        } else {
            body.as_str()
        };
        Failed {
            failure,
            status: Some(self.status.as_u16()),
            error: format!("the receiver answered {}{hint}{body}", self.status),
            answer: self.kept(),
        }
    }

    /// It may be taken later.
    pub fn later(&self) -> Failed {
        self.failed(Failure::Temporary {
            retry_after: self.retry_after,
        })
    }
}

/// What answers mean to most: 2xx is taken; redirects, 408, 425, 429 and 5xx are tried again; other 4xx are final, and
/// 410 says so of everything.
pub(crate) fn usual(answer: &Answer) -> Result<(), Failed> {
    match answer.status.as_u16() {
        200..=299 => Ok(()),
        410 => Err(answer.failed(Failure::Gone)),
        400..=407 | 409..=424 | 426..=428 | 430..=499 => Err(answer.failed(Failure::Permanent)),
        _ => Err(answer.later()),
    }
}

/// The failure of a receiver that says no in the body of its answer.
pub(crate) fn said_no(
    answer: &Answer,
    temporary: bool,
    retry_after: Option<SignedDuration>,
) -> Failed {
    if temporary {
        answer.failed(Failure::Temporary {
            retry_after: retry_after.or(answer.retry_after),
        })
    } else {
        answer.failed(Failure::Permanent)
    }
}

/// Retry-After by RFC 9110 section 10.2.3: seconds, or an HTTP date.
pub(crate) fn parse_retry_after(value: &str, now: Timestamp) -> Option<SignedDuration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Some(date.timestamp().duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        let wait = Some(SignedDuration::from_secs(120));
        let failure = |code: u16| {
            let answer = Answer {
                status: StatusCode::from_u16(code).unwrap_or_default(),
                retry_after: wait,
                body: "no\r\n".to_owned(),
            };
            usual(&answer).map_err(|failed| failed.failure)
        };
        let later = Err(Failure::Temporary { retry_after: wait });
        for code in [200, 202, 204] {
            assert_eq!(failure(code), Ok(()));
        }
        for code in [302, 408, 425, 429, 500, 503] {
            assert_eq!(failure(code), later, "{code}");
        }
        for code in [400, 401, 403, 404, 413] {
            assert_eq!(failure(code), Err(Failure::Permanent), "{code}");
        }
        assert_eq!(failure(410), Err(Failure::Gone));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::UNIX_EPOCH;
        let parse = |value| parse_retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(parse("30"), Some(30));
        assert_eq!(parse("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60));
        assert_eq!(parse("soon"), None);
        assert_eq!(parse("-3"), None);
    }
}
