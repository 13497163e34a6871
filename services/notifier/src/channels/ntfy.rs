//! ntfy: publishing as JSON, <https://docs.ntfy.sh/publish/#publish-as-json>. Text is shown as it is.

use portwatch_domain::change::Severity;
use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::address;
use super::http::{Plan, usual};
use super::look::Look;
use super::text::{Room, Unit, as_is};
use crate::settings::ChannelSettings;

/// The public server.
const SERVER: &str = "https://ntfy.sh/";

/// A longer message would become an attachment.
const LINES: Room = Room {
    limit: 3600,
    unit: Unit::Bytes,
    escape: as_is,
};
const FOOTER: Room = Room {
    limit: 400,
    ..LINES
};
const TITLE: Room = Room {
    limit: 250,
    ..LINES
};

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let to = settings.to.clone();
    let of_a_topic = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if to.is_empty() || to.len() > 64 || !to.chars().all(of_a_topic) {
        return Err("to: a topic is needed: up to 64 letters, digits, _ and -".to_owned());
    }
    let url = address(settings.url_or(SERVER))?;
    Plan::json(url, usual, move |n, look| vec![payload(n, look, &to)])
        .with_token(settings.token.reveal())
}

/// The message to this topic.
pub(crate) fn payload(_: &Content, look: &Look, to: &str) -> Value {
    let (priority, tag) = match look.severity {
        Severity::Info => (2, "white_check_mark"),
        Severity::Low => (3, "information_source"),
        Severity::Medium => (4, "warning"),
        Severity::High => (5, "rotating_light"),
    };
    let lines = LINES.lines("", &look.lines);
    json!({
        "topic": to,
        "title": TITLE.line(&look.title),
        "message": format!("{lines}\n{}", FOOTER.line(&look.footer)),
        "priority": priority,
        "tags": [tag],
    })
}
