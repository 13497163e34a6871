//! A plain webhook whose JSON has the fields of Roxy-WI's own alerts, for receivers that were written for those.

use jiff::tz::TimeZone;
use portwatch_domain::notification::Content;
use serde_json::{Value, json};

use super::{Groups, level};
use crate::channels::address;
use crate::channels::http::{Plan, usual};
use crate::channels::look::Look;
use crate::channels::text::Room;
use crate::settings::ChannelSettings;

/// What a message has room for.
const MESSAGE: Room = Room::plain(1000);

pub(in crate::channels) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let url = address(settings.url.reveal())?;
    let groups = Groups::parse(&settings.to)?;
    let plan = Plan::json(url, usual, move |content, look| {
        payloads(content, look, &groups)
    });
    plan.with_token(settings.token.reveal())
}

/// One for each change, or one of a summary. What is not known is `null`.
fn payloads(content: &Content, look: &Look, groups: &Groups) -> Vec<Value> {
    let one = |message: &str, severity, at: jiff::Timestamp| {
        json!({
            "message": MESSAGE.line(message),
            "level": level(severity),
            "ip": null,
            "port": null,
            "user_group": groups.of(content),
            "service": "Port scanner",
            "date": at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        })
    };
    match content {
        Content::Summary(summary) => vec![one(&look.title, look.severity, summary.created_at)],
        Content::Changes(notification) => {
            let changes = &notification.changes;
            let each = changes.changes.iter().zip(&look.lines);
            let made = each.map(|(change, line)| {
                let mut made = one(line, change.severity, change.at);
                made["ip"] = json!(changes.ip().map(|ip| ip.to_string()));
                made["port"] = json!(change.transition.port().map(|port| port.number));
                made
            });
            made.collect()
        }
    }
}

/// What is sent with settings of a test.
#[cfg(test)]
pub(in crate::channels) fn sample(content: &Content, look: &Look) -> Vec<Value> {
    let groups = Groups::parse("default=2, 1").unwrap_or_else(|error| panic!("{error}"));
    payloads(content, look, &groups)
}
