//! Mattermost: an incoming webhook, <https://developers.mattermost.com/integrate/webhooks/incoming/>.

use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::address;
use super::http::{Plan, usual};
use super::look::Look;
use super::text::{Room, Unit, markdown};
use crate::settings::ChannelSettings;

/// A post has 16,383 characters.
const LINES: Room = Room {
    limit: 12_000,
    unit: Unit::Chars,
    escape: markdown,
};
const TITLE: Room = Room {
    limit: 1000,
    ..LINES
};

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let url = address(settings.url.reveal())?;
    Ok(Plan::json(url, usual, |n, look| vec![payload(n, look)]))
}

/// The message: an attachment, whose colour is the severity.
pub(crate) fn payload(_: &Content, look: &Look) -> Value {
    let title = TITLE.line(&look.title);
    let mut text = format!("**{title}**");
    if !look.details().is_empty() {
        text = format!("{text}\n\n{}", LINES.lines("- ", look.details()));
    }
    json!({
        "attachments": [{
            "fallback": title,
            "color": format!("#{:06x}", look.colour()),
            "text": text,
            "footer": TITLE.line(&look.footer),
        }],
    })
}
