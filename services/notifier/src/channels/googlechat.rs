//! Google Chat: an incoming webhook with a card, <https://developers.google.com/workspace/chat/api/reference/rest/v1/cards>.

use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::address;
use super::http::{Plan, usual};
use super::look::Look;
use super::text::{Room, Unit, html};
use crate::settings::ChannelSettings;

/// A message has 32,000 bytes, in JSON at most twice those of its text.
const LINES: Room = Room {
    limit: 11_000,
    unit: Unit::Bytes,
    escape: html,
};
const TITLE: Room = Room {
    limit: 1000,
    ..LINES
};

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let url = address(settings.url.reveal())?;
    Ok(Plan::json(url, usual, |n, look| vec![payload(n, look)]))
}

/// The message: text in cards knows a little HTML, and no mentions.
pub(crate) fn payload(content: &Content, look: &Look) -> Value {
    let paragraph = |text: String| json!({"textParagraph": {"text": text}});
    let mut widgets = vec![paragraph(format!("<b>{}</b>", TITLE.line(&look.title)))];
    if !look.details().is_empty() {
        let lines = LINES.lines("• ", look.details());
        widgets.push(paragraph(lines));
    }
    widgets.push(paragraph(format!("<i>{}</i>", TITLE.line(&look.footer))));
    json!({
        "cardsV2": [{
            "cardId": content.id().to_string(),
            "card": {"sections": [{"widgets": widgets}]},
        }],
    })
}
