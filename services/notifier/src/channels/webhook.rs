//! A signed webhook, by the Standard Webhooks specification 1.0.

use portwatch_domain::notification::retry::Failure;
use portwatch_schemas::content_body;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};

use super::http::{self, Answer, Plan, Post};
use super::template::Template;
use super::{Channel, Failed, Message, address};
use crate::settings::{ChannelSettings, InvalidChannel, WebhookSettings};
use signature::Key;

pub mod signature;

/// The name of the webhook of the `[notifier.webhook]` section.
const NAME: &str = "webhook";

/// The webhook of these settings.
///
/// # Errors
/// If the address is no HTTP address, or the secret is none.
pub fn channel(settings: &WebhookSettings) -> Result<Channel, InvalidChannel> {
    signed(&settings.url, settings.secret.reveal())
        .and_then(|plan| http::channel(NAME, plan))
        .map_err(|cause| InvalidChannel {
            name: NAME.to_owned(),
            cause,
        })
}

/// The plan of a named channel.
pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    signed(settings.url.reveal(), settings.secret.reveal())
}

fn signed(url: &str, secret: &str) -> Result<Plan, String> {
    let url = address(url)?;
    let key = Key::parse(secret).map_err(|error| format!("secret: {error}"))?;
    Ok(Plan {
        url,
        headers: HeaderMap::new(),
        posts: Box::new(move |message, _| Ok(vec![post(message, &key)?])),
        judge,
        secrets: vec![secret.to_owned()],
        template: Template::default(),
    })
}

fn post(message: &Message, key: &Key) -> Result<Post, String> {
    let body = content_body(&message.content).map_err(|error| error.to_string())?;
    let id = message.delivery.to_string();
    let timestamp = message.at.as_second();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-signature", key.sign(&id, timestamp, &body)),
        ("webhook-id", id),
        ("webhook-timestamp", timestamp.to_string()),
        ("traceparent", message.trace.to_string()),
    ] {
        let value = HeaderValue::try_from(value).map_err(|error| format!("{name}: {error}"))?;
        headers.insert(name, value);
    }
    Ok(Post {
        headers,
        body,
        put: None,
    })
}

/// What an answer means: 2xx is taken, 410 is never asked again, anything else is tried again.
fn judge(answer: &Answer) -> Result<(), Failed> {
    if answer.status.is_success() {
        Ok(())
    } else if answer.status == StatusCode::GONE {
        Err(answer.failed(Failure::Permanent))
    } else {
        Err(answer.later())
    }
}
