//! PagerDuty: Events API v2, <https://developer.pagerduty.com/docs/events-api-v2-overview>.
//!
//! One event for each change, under a key that is the same when something begins and when it ends: so the end
//! resolves what the beginning triggered, and an event that comes twice is one.

use jiff::Timestamp;
use portwatch_domain::change::{Change, Severity};
use portwatch_domain::notification::condition::{Condition, Phase};
use portwatch_domain::notification::{Content, Notification};
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::{Plan, usual};
use super::look::Look;
use super::text::Room;
use super::{address, incidents};
use crate::settings::ChannelSettings;

/// Where events go; in Europe it is `https://events.eu.pagerduty.com/v2/enqueue`.
const API: &str = "https://events.pagerduty.com/v2/enqueue";

/// A summary has 1,024 characters.
const SUMMARY: Room = Room::plain(1024);

/// So many events of one notification at most: PagerDuty takes about 120 a minute.
const MOST_EVENTS: usize = 100;

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let key = settings.token.reveal().to_owned();
    if key.is_empty() {
        return Err("token: the integration key is needed".to_owned());
    }
    let url = address(settings.url_or(API))?;
    Ok(Plan::json(url, usual, move |n, look| {
        payloads(n, look, &key)
    }))
}

/// The events of what is told.
pub(crate) fn payloads(content: &Content, look: &Look, key: &str) -> Vec<Value> {
    match content {
        Content::Changes(notification) => events(notification, look, key),
        Content::Summary(summary) => {
            vec![in_one(
                key,
                summary.id,
                &look.title,
                "many hosts",
                look,
                summary.created_at,
            )]
        }
    }
}

/// One event for many changes.
fn in_one(key: &str, id: Uuid, summary: &str, source: &str, look: &Look, at: Timestamp) -> Value {
    json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": format!("portwatch/{id}"),
        "client": "Portwatch",
        "payload": {
            "summary": SUMMARY.line(summary),
            "source": SUMMARY.line(source),
            "severity": severity(look.severity),
            "timestamp": at.to_string(),
        },
    })
}

/// The events. Of too many the last says how many more there are.
fn events(notification: &Notification, look: &Look, key: &str) -> Vec<Value> {
    let mut events = incidents::of(notification, look);
    let source = notification.changes.subject();
    let more = events.len().saturating_sub(MOST_EVENTS - 1);
    let cut = events.len() > MOST_EVENTS;
    if cut {
        events.truncate(MOST_EVENTS - 1);
    }
    let mut made: Vec<_> = events
        .iter()
        .map(|(condition, change, line)| event(key, &source, condition, change, line))
        .collect();
    if cut {
        let summary = format!("{source}: {more} more changes");
        let at = notification.created_at;
        made.push(in_one(key, notification.id, &summary, &source, look, at));
    }
    made
}

fn event(key: &str, source: &str, condition: &Condition, change: &Change, line: &str) -> Value {
    if condition.phase == Phase::Ends {
        return json!({
            "routing_key": key,
            "event_action": "resolve",
            "dedup_key": condition.key,
        });
    }
    json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": condition.key,
        "client": "Portwatch",
        "payload": {
            "summary": SUMMARY.line(line),
            "source": SUMMARY.line(source),
            "severity": severity(change.severity),
            "timestamp": change.at.to_string(),
            "class": change.kind().to_string(),
        },
    })
}

/// The word that PagerDuty has for it.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "warning",
        Severity::Medium => "error",
        Severity::High => "critical",
    }
}
