//! Roxy-WI's web panel: messages to its own RabbitMQ, from where its socket service shows them to a group of users.
//!
//! The panel colours a message by the word that it begins with, splits it at `;`, and paints red what contains the word
//! *alert*. So neither is in a text; and there is no `<` or `&` in it, because the panel puts it into a page.

mod broker;
#[cfg(test)]
mod tests;
pub(super) mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portwatch_domain::change::Severity;
use portwatch_domain::notification::Content;
use tokio::sync::Mutex;

use super::http::Reach;
use super::look::Look;
use super::secrets::Secrets;
use super::template::Template;
use super::text::{Room, Unit};
use super::{Channel, Failed, Message, Sent};
use crate::settings::ChannelSettings;
use broker::{Endpoint, Parcel, Session};

/// How long all of an attempt may take, the wait for the one before it included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// What the panel shows in one message.
const TEXT: Room = Room {
    limit: 1000,
    unit: Unit::Chars,
    escape: in_a_page,
};

const FORM: &str = "to: say which group of Roxy-WI is told, by its number, and which for some groups of targets: \
    \"2\", or \"lab-east=2, office=3, 1\"";

/// A channel with these settings.
///
/// # Errors
/// Says which of them is wrong.
pub(super) fn channel(
    settings: &ChannelSettings,
    template: Template,
    reach: &Reach,
) -> Result<Channel, String> {
    let sender = Arc::new(Sender {
        name: settings.name.clone(),
        endpoint: Endpoint::parse(settings.url.reveal(), &settings.ca, reach)?,
        groups: Groups::parse(&settings.to)?,
        template,
        secrets: Secrets::of(settings),
        session: Mutex::default(),
    });
    Ok(Channel::new(&settings.name, move |message| {
        let sender = Arc::clone(&sender);
        Box::pin(async move { sender.send(&message).await })
    }))
}

/// Which of Roxy-WI's groups is told of what.
#[derive(Debug, PartialEq, Eq)]
struct Groups {
    named: BTreeMap<String, u64>,
    /// Of what is of no group that is named: of zones, of many targets, of the others.
    others: u64,
}

impl Groups {
    fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse().map_err(|_| FORM.to_owned());
        let mut named = BTreeMap::new();
        let mut others = None;
        for item in text.split(',').filter(|item| !item.trim().is_empty()) {
            let is_new = match item.rsplit_once('=') {
                Some((name, group)) => named
                    .insert(name.trim().to_owned(), number(group)?)
                    .is_none(),
                None => others.replace(number(item)?).is_none(),
            };
            if !is_new {
                return Err(FORM.to_owned());
            }
        }
        let others = others.ok_or_else(|| FORM.to_owned())?;
        Ok(Self { named, others })
    }

    /// The group that is told of this. Targets of a group that Roxy-WI has no readable name for are called by its number.
    fn of(&self, content: &Content) -> u64 {
        let target = match content {
            Content::Changes(notification) => notification.changes.about.target(),
            Content::Summary(_) => None,
        };
        let Some(target) = target else {
            return self.others;
        };
        let by_number = || target.group.strip_prefix("roxy-wi-")?.parse().ok();
        let named = self.named.get(&target.group).copied();
        named.or_else(by_number).unwrap_or(self.others)
    }
}

struct Sender {
    name: String,
    endpoint: Endpoint,
    groups: Groups,
    template: Template,
    secrets: Secrets,
    /// The connection, while it stands; one attempt at a time uses it.
    session: Mutex<Option<Session>>,
}

impl Sender {
    async fn send(&self, message: &Message) -> Result<Sent, Failed> {
        let look = self.template.look(&message.content);
        let parcel = Parcel {
            event: message.delivery,
            group: self.groups.of(&message.content),
            text: text(&look),
            at: message.at,
        };
        let sent = tokio::time::timeout(TOTAL_TIMEOUT, self.attempt(&parcel));
        let late = || Failed::temporary(format!("not done within {TOTAL_TIMEOUT:?}"));
        let sent = sent.await.unwrap_or_else(|_| Err(late()));
        sent.map_err(|failed| Failed {
            error: self.secrets.hidden(failed.error),
            ..failed
        })
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Sent, Failed> {
        let mut held = self.session.lock().await;
        // Taken out: whatever breaks this off, a connection in an unknown state is not used again.
        let standing = held.take().filter(Session::is_up);
        let session = if let Some(session) = standing {
            session
        } else {
            let session = self.endpoint.connect().await?;
            tracing::info!(channel = self.name, by = %session.way(), "connected with Roxy-WI's broker");
            session
        };
        session.publish(parcel).await?;
        *held = Some(session);
        Ok(Sent::default())
    }
}

/// The word that Roxy-WI has for it.
const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low | Severity::Medium => "warning",
        Severity::High => "critical",
    }
}

/// A message as the panel takes it: the level's word, then all in one line.
fn text(look: &Look) -> String {
    let level = level(look.severity);
    let details = look.details().iter().map(String::as_str);
    let parts: Vec<_> = [look.title.as_str()].into_iter().chain(details).collect();
    let line = TEXT.line(&parts.join(" · "));
    format!("{level}: {}", without_alert(&line))
}

/// A hyphen that is not shown stands in the word, so that people read it and the panel does not.
fn without_alert(text: &str) -> String {
    const WORD: &[u8] = b"alert";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let found = |rest: &str| {
        let windows = rest.as_bytes().windows(WORD.len());
        windows
            .into_iter()
            .position(|window| window.eq_ignore_ascii_case(WORD))
    };
    while let Some(at) = found(rest) {
        // All of it is ASCII, so a character ends after two of its bytes.
        let (before, after) = rest.split_at(at + 2);
        out.push_str(before);
        out.push('\u{ad}');
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What would end the message, or mean something in a page, becomes what looks like it.
fn in_a_page(c: char, out: &mut String) {
    out.push(match c {
        ';' => ',',
        '<' => '‹',
        '>' => '›',
        '&' => '+',
        c => c,
    });
}
