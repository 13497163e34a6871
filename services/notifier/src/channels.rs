//! The channels: one file each, and one line in [`KINDS`].

mod alertmanager;
mod condition;
mod discord;
#[cfg(test)]
mod golden;
mod googlechat;
mod http;
mod look;
mod mattermost;
mod ntfy;
mod pagerduty;
mod slack;
mod teams;
mod telegram;
pub mod terminal;
mod text;
pub mod webhook;

use std::future::Future;
use std::num::{NonZeroU16, NonZeroU32};
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::retry::{self, Failure};
use portwatch_schemas::TraceParent;
use reqwest::Url;
use uuid::Uuid;

use crate::deliver::pace::Limits;
use crate::settings::{ChannelSettings, InvalidChannel, Settings};
pub use http::Allowed;
use http::Plan;
use http::Reach;
pub use look::Look;
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
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
}

/// The receiver has not taken it, or did not say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whether it may work later.
    pub failure: Failure,
    /// The HTTP status, if there was an answer.
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

    /// How long the receiver wants to be left alone.
    pub(crate) fn rest(&self) -> Duration {
        let Failure::Temporary {
            retry_after: Some(asked),
        } = self.failure
        else {
            return Duration::ZERO;
        };
        Duration::try_from(asked.min(retry::LONGEST_RETRY_AFTER)).unwrap_or_default()
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
    pub(crate) limits: Limits,
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
            limits: Limits::default(),
            send: Box::new(send),
        }
    }

    /// As it is, within these limits.
    pub(crate) fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Its name: part of the delivery's id, so a renamed channel is another channel.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn send(&self, message: Message) -> Result<Sent, Failed> {
        (self.send)(message).await
    }
}

/// A kind of channel: its word, the settings that it has beside those of every channel, how it speaks, and how many
/// attempts its receiver takes in a minute (0: any number).
struct Kind {
    word: &'static str,
    keys: &'static [&'static str],
    plan: fn(&ChannelSettings) -> Result<Plan, String>,
    per_minute: u32,
}

const fn kind(
    word: &'static str,
    keys: &'static [&'static str],
    plan: fn(&ChannelSettings) -> Result<Plan, String>,
    per_minute: u32,
) -> Kind {
    Kind {
        word,
        keys,
        plan,
        per_minute,
    }
}

/// The settings of a webhook.
const WEBHOOK_KEYS: &[&str] = &["url", "secret", "previous_secret", "body"];

/// Every kind of channel.
const KINDS: &[Kind] = &[
    kind("alertmanager", &["url", "token"], alertmanager::plan, 0),
    kind("discord", &["url"], discord::plan, 30),
    kind("googlechat", &["url"], googlechat::plan, 60),
    kind("mattermost", &["url"], mattermost::plan, 0),
    kind("ntfy", &["url", "token", "to"], ntfy::plan, 12),
    kind("pagerduty", &["url", "token"], pagerduty::plan, 60),
    kind("slack", &["url", "token", "to"], slack::plan, 60),
    kind("teams", &["url"], teams::plan, 60),
    kind("telegram", &["url", "token", "to"], telegram::plan, 20),
    kind("webhook", WEBHOOK_KEYS, webhook::plan, 0),
];

impl Kind {
    /// What holds for this channel: what its settings say, or what is usual for its kind. A receiver that limits its
    /// callers is not sent much at once either.
    fn limits(&self, settings: &ChannelSettings) -> Limits {
        let per_minute = settings.per_minute.unwrap_or(self.per_minute);
        let limited = NonZeroU32::new(self.per_minute).and(NonZeroU16::new(4));
        Limits {
            at_once: settings.at_once.or(limited),
            per_minute: NonZeroU32::new(per_minute),
        }
    }
}

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
    let reach = Reach::of(settings).map_err(|cause| InvalidChannel {
        name: "proxy".to_owned(),
        cause,
    })?;
    let mut channels: Vec<Channel> = webhook
        .map(|webhook| webhook::channel(webhook, &reach))
        .into_iter()
        .collect::<Result<_, _>>()?;
    for (n, settings) in settings.channels.iter().enumerate() {
        let taken = |channel: &Channel| channel.name() == settings.name;
        let made = if channels.iter().any(taken) || settings.name == terminal::NAME {
            Err("name: another channel has it".to_owned())
        } else {
            named(settings, &reach)
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

fn named(settings: &ChannelSettings, reach: &Reach) -> Result<Channel, String> {
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
    let spare = settings.given().find(|key| !kind.keys.contains(key));
    if let Some(key) = spare {
        return Err(format!(
            "{key}: {} has {} and nothing else",
            kind.word,
            kind.keys.join(", ")
        ));
    }
    let channel = http::channel(name, (kind.plan)(settings)?, reach)?;
    Ok(channel.within(kind.limits(settings)))
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
