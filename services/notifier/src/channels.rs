//! The channels: one file each, and one line in [`kind::KINDS`].

mod alertmanager;
mod discord;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod golden;
mod googlechat;
mod guard;
mod http;
mod incidentrelay;
mod incidents;
mod kind;
mod look;
mod mail;
mod matrix;
mod mattermost;
mod ntfy;
mod pagerduty;
mod roxy_wi;
mod secrets;
mod slack;
mod teams;
mod telegram;
mod template;
pub mod terminal;
mod text;
pub mod trial;
pub mod webhook;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::notification::Content;
use portwatch_domain::notification::retry::{self, Failure};
use portwatch_schemas::TraceParent;
use reqwest::Url;
use uuid::Uuid;

use crate::deliver::pace::Limits;
use crate::settings::{ChannelSettings, InvalidChannel, Settings};
pub use guard::Allowed;
use http::{Plan, Reach};
use kind::{KINDS, Speaks};
pub use look::Look;
use secrets::Secrets;
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
    pub content: Content,
    /// What the receiver calls the message that this one answers.
    pub thread: Option<String>,
}

/// The receiver has taken it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The status of HTTP or SMTP, if there was one.
    pub status: Option<u16>,
    /// The beginning of what it answered, without secrets.
    pub answer: Option<String>,
    /// What it calls the message that later ones about the same can answer.
    pub thread: Option<String>,
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
    /// The beginning of what it answered, without secrets.
    pub answer: Option<String>,
}

impl Failed {
    pub(crate) const fn permanent(error: String) -> Self {
        Self {
            failure: Failure::Permanent,
            status: None,
            error,
            answer: None,
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
            answer: None,
        }
    }
}

/// What sending ends in.
pub type Sending = Pin<Box<dyn Future<Output = Result<Sent, Failed>> + Send>>;

/// How much of an answer is kept, in characters.
const MOST_KEPT: usize = 500;

/// The beginning of an answer, in one line; `None` if there is nothing in it.
pub(crate) fn kept(answer: &str) -> Option<String> {
    let answer = Room::plain(MOST_KEPT).line(answer.trim());
    (!answer.is_empty()).then_some(answer)
}

/// How much is told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    /// How long the first change of a host waits for others; no time to be told at once.
    pub wait: SignedDuration,
    /// How long it takes until the same host is told of again.
    pub interval: SignedDuration,
    /// Above so many hosts at once, they are told in one summary.
    pub storm: Option<usize>,
}

impl Habits {
    /// Everything by itself, without delay: what a program wants.
    const AT_ONCE: Self = Self {
        wait: SignedDuration::ZERO,
        interval: SignedDuration::ZERO,
        storm: None,
    };
}

/// A named way to tell somebody.
pub struct Channel {
    name: String,
    habits: Habits,
    always: bool,
    pub(crate) limits: Limits,
    /// Whether a message can answer an earlier one.
    pub(crate) threads: bool,
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
            habits: Habits::AT_ONCE,
            always: false,
            limits: Limits::default(),
            threads: false,
            send: Box::new(send),
        }
    }

    /// As it is, but told together what comes together.
    pub(crate) const fn with_habits(mut self, habits: Habits) -> Self {
        self.habits = habits;
        self
    }

    /// As it is, but told of everything, whatever the rules say.
    pub(crate) const fn always_told(mut self) -> Self {
        self.always = true;
        self
    }

    /// Whether it is told of everything, whatever the rules say.
    pub(crate) const fn is_always_told(&self) -> bool {
        self.always
    }

    /// How much is told together.
    pub(crate) const fn habits(&self) -> Habits {
        self.habits
    }

    /// As it is; a message can answer an earlier one.
    pub(crate) const fn with_threads(mut self) -> Self {
        self.threads = true;
        self
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

/// The longest name of a channel, in characters.
const LONGEST_NAME: usize = 64;

/// The channels that the settings ask for.
///
/// # Errors
/// Says which channel's settings are wrong, and how.
pub fn configured(all: &Settings) -> Result<Vec<Channel>, InvalidChannel> {
    let webhook = all
        .webhook
        .as_ref()
        .filter(|webhook| !webhook.url.is_empty());
    let reach = Reach::of(all).map_err(|cause| InvalidChannel {
        name: "proxy".to_owned(),
        cause,
    })?;
    let mut channels: Vec<Channel> = webhook
        .map(|webhook| webhook::channel(webhook, &reach))
        .into_iter()
        .collect::<Result<_, _>>()?;
    for (n, settings) in all.channels.iter().enumerate() {
        let taken = |channel: &Channel| channel.name() == settings.name;
        let made = if channels.iter().any(taken) || settings.name == terminal::NAME {
            Err("name: another channel has it".to_owned())
        } else {
            named(settings, all, &reach)
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

fn named(settings: &ChannelSettings, all: &Settings, reach: &Reach) -> Result<Channel, String> {
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
    let habits = kind.habits(settings, all)?;
    let template = Template::new(&settings.template)?;
    let channel = match kind.speaks {
        Speaks::Http(plan) => {
            let plan = plan(settings)?;
            let secrets = Secrets::of(settings);
            let plan = Plan {
                secrets,
                template,
                ..plan
            };
            http::channel(name, plan, reach)
        }
        Speaks::Itself(channel) => channel(settings, template, reach),
    };
    let limits = kind.limits(settings);
    Ok(channel?.with_habits(habits).within(limits))
}

/// The same text, if it is an address that can be posted to.
///
/// # Errors
/// Says what an address looks like.
pub fn webhook_url(text: &str) -> Result<String, String> {
    address(text).map(|_| text.to_owned())
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
