//! The channels: one file each, and one line in [`KINDS`].

mod alertmanager;
mod condition;
mod discord;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod golden;
mod googlechat;
mod http;
mod look;
mod mail;
mod matrix;
mod mattermost;
mod ntfy;
mod pagerduty;
mod slack;
mod teams;
mod telegram;
mod template;
pub mod terminal;
mod text;
pub mod webhook;

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::retry::Failure;
use portwatch_schemas::TraceParent;
use reqwest::Url;
use uuid::Uuid;

use crate::settings::{ChannelSettings, InvalidChannel, Settings};
use http::Plan;
pub use look::Look;
use template::Template;
use text::Room;

/// What a channel is given to send.
#[derive(Clone, Debug)]
pub struct Message {
    /// The delivery's id: the same at every attempt.
    pub delivery: Uuid,
    /// When this attempt is made.
    pub at: Timestamp,
    /// The trace that the scan began.
    pub trace: TraceParent,
    /// What is told.
    pub notification: Notification,
}

/// The receiver has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The status of HTTP or SMTP, if there was one.
    pub status: Option<u16>,
}

/// The receiver has not taken it, or did not say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whether it may work later.
    pub failure: Failure,
    /// The status of HTTP or SMTP, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong, without secrets.
    pub error: String,
}

impl Failed {
    pub(crate) const fn permanent(error: String) -> Self {
        Self {
            failure: Failure::Permanent,
            status: None,
            error,
        }
    }

    pub(crate) const fn temporary(error: String) -> Self {
        Self {
            failure: Failure::Temporary { retry_after: None },
            status: None,
            error,
        }
    }
}

/// What sending ends in.
pub type Sending = Pin<Box<dyn Future<Output = Result<Sent, Failed>> + Send>>;

/// A named way to tell somebody.
pub struct Channel {
    name: String,
    send: Box<dyn Fn(Message) -> Sending + Send + Sync>,
}

impl Channel {
    /// A channel that sends with this function.
    pub fn new(
        name: impl Into<String>,
        send: impl Fn(Message) -> Sending + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            send: Box::new(send),
        }
    }

    /// Its name: part of the delivery's id, so a renamed channel is another channel.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn send(&self, message: Message) -> Result<Sent, Failed> {
        (self.send)(message).await
    }
}

/// A kind of channel: its word, the settings that it has beside `name` and `kind`, and how it speaks.
struct Kind {
    word: &'static str,
    keys: &'static [&'static str],
    speaks: Speaks,
    /// Whether it says words that a template can change.
    words: bool,
}

/// How a kind of channel speaks.
enum Speaks {
    /// HTTP, by a plan.
    Http(fn(&ChannelSettings) -> Result<Plan, String>),
    /// A protocol of its own.
    Itself(fn(&ChannelSettings, Template) -> Result<Channel, String>),
}

const fn kind(
    word: &'static str,
    keys: &'static [&'static str],
    plan: fn(&ChannelSettings) -> Result<Plan, String>,
) -> Kind {
    Kind {
        word,
        keys,
        speaks: Speaks::Http(plan),
        words: true,
    }
}

/// Every kind of channel.
const KINDS: &[Kind] = &[
    kind("alertmanager", &["url", "token"], alertmanager::plan),
    kind("discord", &["url"], discord::plan),
    kind("googlechat", &["url"], googlechat::plan),
    Kind {
        word: "mail",
        keys: &["url", "from", "to", "ca"],
        speaks: Speaks::Itself(mail::channel),
        words: true,
    },
    kind("matrix", &["url", "token", "to"], matrix::plan),
    kind("mattermost", &["url"], mattermost::plan),
    kind("ntfy", &["url", "token", "to"], ntfy::plan),
    kind("pagerduty", &["url", "token"], pagerduty::plan),
    kind("slack", &["url", "token", "to"], slack::plan),
    kind("teams", &["url"], teams::plan),
    kind("telegram", &["url", "token", "to"], telegram::plan),
    Kind {
        words: false,
        ..kind("webhook", &["url", "secret"], webhook::plan)
    },
];

/// The longest name of a channel, in characters.
const LONGEST_NAME: usize = 64;

/// The channels that the settings ask for.
///
/// # Errors
/// Says which channel's settings are wrong, and how.
pub fn configured(settings: &Settings) -> Result<Vec<Channel>, InvalidChannel> {
    let webhook = settings
        .webhook
        .as_ref()
        .filter(|webhook| !webhook.url.is_empty());
    let mut channels: Vec<Channel> = webhook
        .map(webhook::channel)
        .into_iter()
        .collect::<Result<_, _>>()?;
    for (n, settings) in settings.channels.iter().enumerate() {
        let taken = |channel: &Channel| channel.name() == settings.name;
        let made = if channels.iter().any(taken) || settings.name == terminal::NAME {
            Err("name: another channel has it".to_owned())
        } else {
            named(settings)
        };
        let channel = made.map_err(|cause| InvalidChannel {
            name: place(n, &settings.name),
            cause,
        })?;
        channels.push(channel);
    }
    Ok(channels)
}

/// What an error calls the `n`th channel.
fn place(n: usize, name: &str) -> String {
    if name.is_empty() {
        format!("channels.{n}")
    } else {
        format!("channels.{}", Room::plain(LONGEST_NAME).line(name))
    }
}

fn named(settings: &ChannelSettings) -> Result<Channel, String> {
    let name = &settings.name;
    let of_a_name = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(of_a_name) {
        return Err(format!(
            "name: up to {LONGEST_NAME} letters, digits, spaces, _ - and . are needed"
        ));
    }
    let kind = KINDS.iter().find(|kind| kind.word == settings.kind);
    let kind = kind.ok_or_else(|| {
        let words: Vec<_> = KINDS.iter().map(|kind| kind.word).collect();
        format!("kind: it is one of {}", words.join(", "))
    })?;
    let known =
        |key: &&str| kind.keys.contains(key) || (kind.words && key.starts_with("template."));
    let spare = settings.given().find(|key| !known(key));
    if let Some(key) = spare {
        return Err(format!(
            "{key}: {} has {} and nothing else",
            kind.word,
            kind.keys.join(", ")
        ));
    }
    let template = Template::new(&settings.template)?;
    match kind.speaks {
        Speaks::Http(plan) => {
            let plan = plan(settings)?;
            http::channel(name, Plan { template, ..plan })
        }
        Speaks::Itself(channel) => channel(settings, template),
    }
}

/// An HTTP address.
fn address(text: &str) -> Result<Url, String> {
    let url: Url = text
        .parse()
        .map_err(|error| format!("url: {error}: write http://… or https://…"))?;
    if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() {
        Ok(url)
    } else {
        Err("url: it must begin with http:// or https://".to_owned())
    }
}
