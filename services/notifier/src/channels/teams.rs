//! Microsoft Teams: a workflow that posts what a webhook gets, as an Adaptive Card 1.4.
//!
//! The text stands in `RichTextBlock`, which knows no Markdown: nothing in it needs escaping.

use portwatch_domain::change::Severity;
use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::address;
use super::http::{Plan, usual};
use super::look::Look;
use super::text::{Room, Unit, as_is};
use crate::settings::ChannelSettings;

/// A message has 28 KB of JSON, in which a character of text takes at most twice its bytes.
const LINES: Room = Room {
    limit: 11_000,
    unit: Unit::Bytes,
    escape: as_is,
};
const TITLE: Room = Room {
    limit: 1000,
    ..LINES
};

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let url = address(settings.url.reveal())?;
    Ok(Plan::json(url, usual, |n, look| vec![payload(n, look)]))
}

/// The message with its card.
pub(crate) fn payload(_: &Content, look: &Look) -> Value {
    let colour = match look.severity {
        Severity::Info => "Good",
        Severity::Low => "Accent",
        Severity::Medium => "Warning",
        Severity::High => "Attention",
    };
    let title = json!({
        "type": "TextRun",
        "text": TITLE.line(&look.title),
        "weight": "Bolder",
        "color": colour,
    });
    let mut body = vec![json!({"type": "RichTextBlock", "inlines": [title]})];
    if !look.details().is_empty() {
        let lines = LINES.lines("• ", look.details());
        let run = json!({"type": "TextRun", "text": lines});
        body.push(json!({"type": "RichTextBlock", "inlines": [run]}));
    }
    let footer = json!({
        "type": "TextRun",
        "text": TITLE.line(&look.footer),
        "size": "Small",
        "isSubtle": true,
    });
    body.push(json!({"type": "RichTextBlock", "inlines": [footer]}));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}
