//! A signed webhook, by the Standard Webhooks specification 1.0.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::notification::retry::Failure;
use portwatch_schemas::notification_body;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::{Channel, Failed, Message, Sent};
use crate::settings::{InvalidChannel, WebhookSettings};
use signature::Key;

pub mod signature;

/// The channel's name.
const NAME: &str = "webhook";

/// How long a whole attempt may take, the answer's body included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of an answer is read; it is thrown away, so that the connection can be used again.
const READ_LIMIT: usize = 64 * 1024;

struct Webhook {
    url: Url,
    key: Key,
    client: Client,
}

/// The webhook of these settings.
///
/// # Errors
/// If the address is no HTTP address, or the secret is none.
pub fn channel(settings: &WebhookSettings) -> Result<Channel, InvalidChannel> {
    let invalid = |cause: String| InvalidChannel { name: NAME, cause };
    let url: Url = settings
        .url
        .parse()
        .map_err(|error| invalid(format!("url: {error}: write http://… or https://…")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(invalid(
            "url: it must begin with http:// or https://".to_owned(),
        ));
    }
    let key = Key::parse(settings.secret.reveal())
        .map_err(|error| invalid(format!("secret: {error}")))?;
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(TOTAL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("portwatch/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| invalid(format!("preparing HTTP: {error}")))?;
    let webhook = Arc::new(Webhook { url, key, client });
    Ok(Channel::new(NAME, move |message| {
        let webhook = Arc::clone(&webhook);
        Box::pin(async move { webhook.send(&message).await })
    }))
}

impl Webhook {
    async fn send(&self, message: &Message) -> Result<Sent, Failed> {
        let body = notification_body(&message.notification)
            .map_err(|error| Failed::permanent(format!("the body cannot be made: {error}")))?;
        let id = message.delivery.to_string();
        let timestamp = message.at.as_second();
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", self.key.sign(&id, timestamp, &body))
            .header("traceparent", message.trace.to_string())
            .body(body);
        // The error would print the address, and with it any token that stands there.
        let answer = request
            .send()
            .await
            .map_err(|error| Failed::temporary(describe(&error.without_url())))?;
        let verdict = judge(answer.status(), answer.headers(), message.at);
        drain(answer).await;
        verdict
    }
}

/// An error with its causes, which say what really happened.
fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What an answer means: 2xx is taken, 410 is never asked again, anything else is tried again.
fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<Sent, Failed> {
    let code = Some(status.as_u16());
    if status.is_success() {
        return Ok(Sent { status: code });
    }
    let (failure, error) = if status == StatusCode::GONE {
        (
            Failure::Permanent,
            "the receiver answered 410: it wants no more".to_owned(),
        )
    } else if status.is_redirection() {
        let error = format!(
            "the receiver answered {status}: redirects are not followed, set the final address"
        );
        (Failure::Temporary { retry_after: None }, error)
    } else {
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| parse_retry_after(value, now));
        (
            Failure::Temporary { retry_after },
            format!("the receiver answered {status}"),
        )
    };
    Err(Failed {
        failure,
        status: code,
        error,
    })
}

/// Retry-After by RFC 9110 section 10.2.3: seconds, or an HTTP date.
fn parse_retry_after(value: &str, now: Timestamp) -> Option<SignedDuration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Some(date.timestamp().duration_since(now))
}

/// Reads the answer up to [`READ_LIMIT`]; a longer one costs its sender the connection.
async fn drain(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > READ_LIMIT {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn answers_are_judged() {
        let now = Timestamp::UNIX_EPOCH;
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("120"));
        let failure = |code: u16| {
            let status = StatusCode::from_u16(code).unwrap_or_default();
            judge(status, &headers, now).map_err(|failed| failed.failure)
        };
        let wait = Some(SignedDuration::from_secs(120));
        assert_eq!(failure(204), Ok(Sent { status: Some(204) }));
        assert_eq!(failure(410), Err(Failure::Permanent));
        assert_eq!(failure(302), Err(Failure::Temporary { retry_after: None }));
        assert_eq!(failure(429), Err(Failure::Temporary { retry_after: wait }));
        assert_eq!(failure(503), Err(Failure::Temporary { retry_after: wait }));
        assert_eq!(failure(404), Err(Failure::Temporary { retry_after: wait }));
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
