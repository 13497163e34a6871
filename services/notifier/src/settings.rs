//! The `[notifier]` section.

use std::num::NonZeroU16;

use jiff::SignedDuration;
use portwatch_runtime::settings::{List, Secret};
use serde::Deserialize;

use crate::channels::Allowed;
use crate::routing::{MaintenanceSettings, RouteSettings};

/// The `[notifier]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many changes are recorded at once.
    pub concurrency: u16,
    /// How many deliveries are attempted at once, to each channel.
    pub attempts_at_once: u16,
    /// Addresses that are connected to although they are not public.
    pub allow: List<Allowed>,
    /// The proxy that all requests go by, if there is one; it may hold a password.
    pub proxy: Secret,
    /// Who may ask over HTTP; nobody, if it is empty.
    pub api_token: Secret,
    /// The webhook, if there is one.
    pub webhook: Option<WebhookSettings>,
    /// The named channels.
    pub channels: Vec<ChannelSettings>,
    /// Who is told of what no route is about: every channel, if nothing is said.
    pub default: Option<List<String>>,
    /// Who is told of what, in this order.
    pub routes: Vec<RouteSettings>,
    /// When nobody is told of some of it.
    pub maintenance: Vec<MaintenanceSettings>,
    /// How long the first change of a host waits for others, on channels that people read.
    pub group_wait: SignedDuration,
    /// How long people are left alone about the same host after they were told.
    pub group_interval: SignedDuration,
    /// How often people are reminded of what is wrong until somebody acknowledges it; not at all if it is 0.
    pub remind: SignedDuration,
    /// Above so many hosts at once, people are sent one summary; 0 for never.
    pub storm: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 8,
            attempts_at_once: 32,
            allow: List::default(),
            proxy: Secret::default(),
            api_token: Secret::default(),
            webhook: None,
            channels: Vec::new(),
            default: None,
            routes: Vec::new(),
            maintenance: Vec::new(),
            group_wait: SignedDuration::from_secs(30),
            group_interval: SignedDuration::from_mins(5),
            remind: SignedDuration::ZERO,
            storm: 20,
        }
    }
}

/// The `[notifier.webhook]` section.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WebhookSettings {
    /// Where to post.
    pub url: String,
    /// What to sign with: `whsec_` and the base64 of 24 to 64 bytes.
    pub secret: Secret,
    /// What to sign with as well, while receivers change to the new secret.
    pub previous_secret: Secret,
    /// What the body is: `plain`, or `cloudevents`.
    pub body: String,
    /// A person typed `url` just now: an address that stands in it is meant, whatever it is.
    #[serde(skip)]
    pub typed: bool,
}

/// One of `[[notifier.channels]]`. Which of the keys a kind has, it says itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChannelSettings {
    /// What it is called: part of the id of what goes to it, so a renamed channel is another channel.
    pub name: String,
    /// How it is spoken to: `slack`, `telegram`, …
    pub kind: String,
    /// Where to post; of a kind that has one place for all, that place if it is left out. Most receivers know who
    /// posts by the address alone, so it is as secret as a password.
    pub url: Secret,
    /// The token of a bot or an account, or the integration key.
    pub token: Secret,
    /// What to sign with.
    pub secret: Secret,
    /// The chat, channel or topic there; of mail the addresses, with commas.
    pub to: String,
    /// Instead of `notifier.group_wait`.
    pub group_wait: Option<SignedDuration>,
    /// Instead of `notifier.group_interval`.
    pub group_interval: Option<SignedDuration>,
    /// Instead of `notifier.storm`.
    pub storm: Option<usize>,
    /// What to sign with as well, while receivers change to the new secret.
    pub previous_secret: Secret,
    /// What the body is: `plain`, or `cloudevents`.
    pub body: String,
    /// How many attempts are out at once.
    pub at_once: Option<NonZeroU16>,
    /// How many attempts are begun in any minute, 0 for any number; the kind's own limit if it is left out.
    pub per_minute: Option<u32>,
    /// Of mail: whose address it comes from.
    pub from: String,
    /// Of mail: certificates (PEM) of authorities to trust beside the system's.
    pub ca: String,
    /// Words of one's own.
    pub template: TemplateSettings,
}

/// The words of a channel's messages, as minijinja templates; what is left out reads as usual.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TemplateSettings {
    /// All of it in one line; the subject of a mail.
    pub title: String,
    /// Each change.
    pub line: String,
    /// What stands below.
    pub footer: String,
}

impl ChannelSettings {
    /// The keys that have a value, beside name and kind.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let values = [
            ("url", self.url.reveal()),
            ("token", self.token.reveal()),
            ("secret", self.secret.reveal()),
            ("previous_secret", self.previous_secret.reveal()),
            ("body", &self.body),
            ("to", &self.to),
            ("from", &self.from),
            ("ca", &self.ca),
            ("template.title", &self.template.title),
            ("template.line", &self.template.line),
            ("template.footer", &self.template.footer),
        ];
        let given = values.map(|(key, value)| (!value.is_empty()).then_some(key));
        given.into_iter().flatten()
    }

    /// The address, or this one if none is given.
    pub(crate) fn url_or<'a>(&'a self, usual: &'a str) -> &'a str {
        match self.url.reveal() {
            "" => usual,
            url => url,
        }
    }
}

/// A channel's settings are wrong.
#[derive(Debug, thiserror::Error)]
#[error("notifier.{name}.{cause}")]
pub struct InvalidChannel {
    pub(crate) name: String,
    pub(crate) cause: String,
}
