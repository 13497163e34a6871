//! A signed webhook, by the Standard Webhooks specification 1.0.

use portwatch_domain::notification::Content;
use portwatch_domain::notification::retry::Failure;
use portwatch_runtime::settings::Secret;
use portwatch_schemas::{Meta, content_body, encode};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};

use super::http::{self, Answer, Plan, Post, Reach};
use super::secrets::Secrets;
use super::template::Template;
use super::{Channel, Failed, Message, address};
use crate::settings::{ChannelSettings, InvalidChannel, WebhookSettings};
use signature::Key;

pub mod signature;

/// The name of the webhook of the `[notifier.webhook]` section.
const NAME: &str = "webhook";

/// Whose events these are, as `CloudEvents` asks.
const SOURCE: &str = "/portwatch/notifier";

/// The webhook of these settings.
///
/// # Errors
/// If the address is no HTTP address, a secret is none, or there is no such body.
pub(crate) fn channel(
    settings: &WebhookSettings,
    reach: &Reach,
) -> Result<Channel, InvalidChannel> {
    let WebhookSettings {
        url,
        secret,
        previous_secret,
        body,
        typed,
    } = settings;
    let made = signed(url, secret, previous_secret, body).and_then(|plan| {
        let reach = if *typed {
            reach.and_typed(&plan.url)
        } else {
            reach.clone()
        };
        let secrets = Secrets::of(&ChannelSettings {
            url: url.clone().into(),
            secret: secret.clone(),
            previous_secret: previous_secret.clone(),
            ..ChannelSettings::default()
        });
        http::channel(NAME, Plan { secrets, ..plan }, &reach)
    });
    made.map_err(|cause| InvalidChannel {
        name: NAME.to_owned(),
        cause,
    })
}

/// The plan of a named channel.
pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let ChannelSettings {
        url,
        secret,
        previous_secret,
        body,
        ..
    } = settings;
    signed(url.reveal(), secret, previous_secret, body)
}

/// What a body is.
#[derive(Clone, Copy)]
enum Body {
    /// The notification alone.
    Plain,
    /// The notification in an envelope by `CloudEvents` 1.0, in structured JSON.
    CloudEvents,
}

impl Body {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" | "plain" => Ok(Self::Plain),
            "cloudevents" => Ok(Self::CloudEvents),
            _ => Err("body: it is plain or cloudevents".to_owned()),
        }
    }

    fn of(self, message: &Message) -> Result<(&'static str, Vec<u8>), String> {
        let content = &message.content;
        match self {
            Self::Plain => content_body(content).map(|body| ("application/json", body)),
            Self::CloudEvents => {
                let meta = Meta {
                    id: content.id(),
                    source: SOURCE.to_owned(),
                    time: content.created_at(),
                    trace: message.trace,
                };
                let body = match content {
                    Content::Changes(notification) => encode(&meta, notification),
                    Content::Summary(summary) => encode(&meta, summary),
                };
                body.map(|body| ("application/cloudevents+json", body))
            }
        }
        .map_err(|error| error.to_string())
    }
}

fn signed(url: &str, secret: &Secret, previous: &Secret, body: &str) -> Result<Plan, String> {
    let url = address(url)?;
    let body = Body::parse(body)?;
    let key = Key::parse(secret.reveal()).map_err(|error| format!("secret: {error}"))?;
    let mut keys = vec![key];
    if !previous.reveal().is_empty() {
        let key = Key::parse(previous.reveal());
        keys.push(key.map_err(|error| format!("previous_secret: {error}"))?);
    }
    Ok(Plan {
        url,
        headers: HeaderMap::new(),
        posts: Box::new(move |message, _| Ok(vec![post(message, &keys, body)?])),
        judge,
        secrets: Secrets::default(),
        template: Template::default(),
    })
}

/// The request; its signatures, one for each key, stand in one header with spaces between.
fn post(message: &Message, keys: &[Key], body: Body) -> Result<Post, String> {
    let (kind, body) = body.of(message)?;
    let id = message.delivery.to_string();
    let timestamp = message.at.as_second();
    let signatures: Vec<_> = keys
        .iter()
        .map(|key| key.sign(&id, timestamp, &body))
        .collect();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", kind.to_owned()),
        ("webhook-signature", signatures.join(" ")),
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

/// What an answer means: 2xx is taken, 410 means never again, of everything, anything else is tried again.
fn judge(answer: &Answer) -> Result<(), Failed> {
    if answer.status.is_success() {
        Ok(())
    } else if answer.status == StatusCode::GONE {
        Err(answer.failed(Failure::Gone))
    } else {
        Err(answer.later())
    }
}
