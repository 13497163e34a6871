//! `IncidentRelay`, the receiver of incidents of Roxy-WI's makers: `POST /api/integrations/webhook`.
//!
//! One request for each change, under a fingerprint that is the same when something begins and when it ends.

use portwatch_domain::change::{Change, Changes, Severity};
use portwatch_domain::notification::Content;
use portwatch_domain::notification::condition::Phase;
use serde_json::{Value, json};

use super::http::{Plan, usual};
use super::look::Look;
use super::text::Room;
use super::{address, incidents};
use crate::settings::ChannelSettings;

/// A title has 255 characters.
const TITLE: Room = Room::plain(255);
/// And so much stands below.
const MESSAGE: Room = Room::plain(2000);
/// A label's value.
const LABEL: Room = Room::plain(255);
/// So many requests of one notification at most.
const MOST: usize = 100;

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let token = settings.token.reveal();
    if token.is_empty() {
        return Err("token: the integration's token is needed".to_owned());
    }
    let url = address(settings.url.reveal())?;
    let team = settings.to.clone();
    Plan::json(url, usual, move |content, look| {
        payloads(content, look, &team)
    })
    .with_token(token)
}

/// The incidents of what is told; `team` may be empty.
pub(crate) fn payloads(content: &Content, look: &Look, team: &str) -> Vec<Value> {
    let mut payloads = match content {
        Content::Changes(notification) => {
            let all = incidents::of(notification, look);
            let cut = all.len() > MOST;
            let shown = if cut { MOST - 1 } else { all.len() };
            let mut payloads: Vec<_> = all
                .iter()
                .take(shown)
                .map(|(condition, change, line)| {
                    let status = match condition.phase {
                        Phase::Ends => "resolved",
                        Phase::Begins | Phase::Happened => "firing",
                    };
                    let mut one = firing(line, line, severity(change.severity), &condition.key);
                    one["status"] = json!(status);
                    one["external_id"] = json!(change.id.0.to_string());
                    one["labels"] = labels(&notification.changes, change);
                    one
                })
                .collect();
            if cut {
                let left = all.len() - shown;
                let title = format!("{}: {left} more changes", notification.changes.subject());
                let key = format!("portwatch/{}", notification.id);
                payloads.push(firing(&title, &title, severity(look.severity), &key));
            }
            payloads
        }
        Content::Summary(summary) => {
            let key = format!("portwatch/{}", summary.id);
            let message = look.lines.join("\n");
            vec![firing(&look.title, &message, severity(look.severity), &key)]
        }
    };
    if !team.is_empty() {
        for payload in &mut payloads {
            payload["team"] = json!(team);
        }
    }
    payloads
}

fn firing(title: &str, message: &str, severity: &str, fingerprint: &str) -> Value {
    json!({
        "title": TITLE.line(title),
        "message": MESSAGE.line(message),
        "severity": severity,
        "status": "firing",
        "fingerprint": fingerprint,
        "external_id": fingerprint,
        "labels": { "source": "portwatch" },
    })
}

fn labels(changes: &Changes, change: &Change) -> Value {
    let mut labels = json!({
        "source": "portwatch",
        "kind": change.kind().as_str(),
        "host": LABEL.line(&changes.subject()),
    });
    if let Some(target) = changes.target() {
        labels["target"] = json!(LABEL.line(&target.name));
        labels["group"] = json!(LABEL.line(&target.group));
    }
    if let Some(ip) = changes.ip() {
        labels["ip"] = json!(ip.to_string());
    }
    if let Some(port) = change.transition.port() {
        labels["port"] = json!(port.to_string());
    }
    labels
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low | Severity::Medium => "warning",
        Severity::High => "critical",
    }
}
