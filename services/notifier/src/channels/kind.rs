//! The kinds of channels: their words, their settings, who reads them, and how much they take.

use std::num::{NonZeroU16, NonZeroU32};

use jiff::SignedDuration;

use super::http::{Plan, Reach};
use super::template::Template;
use super::{
    Channel, Habits, alertmanager, discord, googlechat, incidentrelay, mail, matrix, mattermost,
    ntfy, pagerduty, roxy_wi, slack, teams, telegram, webhook,
};
use crate::deliver::pace::Limits;
use crate::settings::{ChannelSettings, Settings};

/// A kind of channel: its word, the settings that it has beside those of every channel, how it speaks, and how many
/// attempts its receiver takes in a minute (0: any number).
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) keys: &'static [&'static str],
    pub(super) speaks: Speaks,
    /// Whether it says words that a template can change.
    pub(super) words: bool,
    pub(super) readers: Readers,
    pub(super) per_minute: u32,
}

/// How a kind of channel speaks.
pub(super) enum Speaks {
    /// HTTP, by a plan.
    Http(fn(&ChannelSettings) -> Result<Plan, String>),
    /// A protocol of its own.
    Itself(fn(&ChannelSettings, Template, &Reach) -> Result<Channel, String>),
}

/// Who reads what a channel is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// People, who would rather have one message than many.
    People,
    /// Programs, which want each by itself and at once.
    Programs,
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
        speaks: Speaks::Http(plan),
        words: true,
        readers: Readers::People,
        per_minute,
    }
}

impl Kind {
    const fn for_programs(mut self) -> Self {
        self.readers = Readers::Programs;
        self
    }

    /// How much is told together, by the channel's own settings or those of all.
    pub(super) fn habits(
        &self,
        channel: &ChannelSettings,
        all: &Settings,
    ) -> Result<Habits, String> {
        let (usual, storm) = match self.readers {
            Readers::People => (
                Habits {
                    wait: all.group_wait,
                    interval: all.group_interval,
                    storm: None,
                },
                all.storm,
            ),
            Readers::Programs => (Habits::AT_ONCE, 0),
        };
        let storm = channel.storm.unwrap_or(storm);
        let habits = Habits {
            wait: channel.group_wait.unwrap_or(usual.wait),
            interval: channel.group_interval.unwrap_or(usual.interval),
            storm: (storm > 0).then_some(storm),
        };
        for (key, time) in [
            ("group_wait", habits.wait),
            ("group_interval", habits.interval),
        ] {
            if time.is_negative() || time > LONGEST_HOLD {
                return Err(format!("{key}: from 0s to 24h"));
            }
        }
        Ok(habits)
    }
}

/// The longest that anything waits for others.
const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(24);

/// The settings of a webhook.
const WEBHOOK_KEYS: &[&str] = &["url", "secret", "previous_secret", "body"];

/// Every kind of channel.
pub(super) const KINDS: &[Kind] = &[
    kind("alertmanager", &["url", "token"], alertmanager::plan, 0).for_programs(),
    kind("discord", &["url"], discord::plan, 30),
    kind("googlechat", &["url"], googlechat::plan, 60),
    Kind {
        word: "mail",
        keys: &["url", "from", "to", "ca"],
        speaks: Speaks::Itself(mail::channel),
        words: true,
        readers: Readers::People,
        per_minute: 60,
    },
    kind(
        "incidentrelay",
        &["url", "token", "to"],
        incidentrelay::plan,
        0,
    )
    .for_programs(),
    kind("matrix", &["url", "token", "to"], matrix::plan, 60),
    kind("mattermost", &["url"], mattermost::plan, 0),
    kind("ntfy", &["url", "token", "to"], ntfy::plan, 12),
    kind("pagerduty", &["url", "token"], pagerduty::plan, 60),
    Kind {
        word: "roxy-wi",
        keys: &["url", "to", "ca"],
        speaks: Speaks::Itself(roxy_wi::channel),
        words: true,
        readers: Readers::Programs,
        per_minute: 0,
    },
    kind(
        "roxy-wi-webhook",
        &["url", "token", "to"],
        roxy_wi::webhook::plan,
        0,
    )
    .for_programs(),
    kind("slack", &["url", "token", "to"], slack::plan, 60),
    kind("teams", &["url"], teams::plan, 60),
    kind("telegram", &["url", "token", "to"], telegram::plan, 20),
    Kind {
        words: false,
        ..kind("webhook", WEBHOOK_KEYS, webhook::plan, 0).for_programs()
    },
];

impl Kind {
    /// What holds for this channel: what its settings say, or what is usual for its kind. A receiver that limits its
    /// callers is not sent much at once either.
    pub(super) fn limits(&self, settings: &ChannelSettings) -> Limits {
        let per_minute = settings.per_minute.unwrap_or(self.per_minute);
        let limited = NonZeroU32::new(self.per_minute).and(NonZeroU16::new(4));
        Limits {
            at_once: settings.at_once.or(limited),
            per_minute: NonZeroU32::new(per_minute),
        }
    }
}
