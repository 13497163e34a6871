//! Discord: a webhook, <https://discord.com/developers/docs/resources/webhook#execute-webhook>.

use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::address;
use super::http::{Plan, usual};
use super::look::Look;
use super::text::{Room, Unit, markdown, without_mentions};
use crate::settings::ChannelSettings;

/// Content has 2,000 characters; an embed's description 4,096 and its footer 2,048, an embed as a whole 6,000.
const CONTENT: Room = Room {
    limit: 2000,
    unit: Unit::Utf16,
    escape: markdown,
};
const LINES: Room = Room {
    limit: 4096,
    ..CONTENT
};
/// Footers know no Markdown.
const FOOTER: Room = Room {
    limit: 1000,
    unit: Unit::Utf16,
    escape: without_mentions,
};

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let mut url = address(settings.url.reveal())?;
    // Only then does it answer once the message is there.
    url.query_pairs_mut().append_pair("wait", "true");
    Ok(Plan::json(url, usual, |n, look| vec![payload(n, look)]))
}

/// The message. `allowed_mentions` keeps it from calling anybody.
pub(crate) fn payload(content: &Content, look: &Look) -> Value {
    let mut embed = json!({
        "color": look.colour(),
        "footer": {"text": FOOTER.line(&look.footer)},
        "timestamp": content.created_at().to_string(),
    });
    if !look.details().is_empty() {
        embed["description"] = json!(LINES.lines("- ", look.details()));
    }
    json!({
        "content": CONTENT.line(&look.title),
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    })
}
