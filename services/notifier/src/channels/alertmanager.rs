//! Alertmanager: `POST /api/v2/alerts`, <https://prometheus.io/docs/alerting/latest/alerts_api/>.
//!
//! One alert for each change, with the same labels when something begins and when it ends.

#[cfg(test)]
mod tests;

use jiff::SignedDuration;
use portwatch_domain::change::{About, Change, Changes};
use portwatch_domain::notification::Content;
use portwatch_domain::notification::condition::{Condition, Phase, conditions};
use portwatch_domain::notification::summary::Summary;
use serde_json::{Map, Value, json};

use super::address;
use super::http::{Plan, usual};
use super::look::Look;
use super::text::Room;
use crate::settings::ChannelSettings;

/// What begins stays, unless its end is told, for so long: nothing repeats it, and Alertmanager would else end it
/// after five minutes.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What has no end that could be told stays for so long.
const A_WHILE: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn plan(settings: &ChannelSettings) -> Result<Plan, String> {
    let base = settings.url.reveal().trim_end_matches('/');
    let url = address(&format!("{base}/api/v2/alerts"))?;
    Plan::json(url, usual, |n, look| vec![payload(n, look)]).with_token(settings.token.reveal())
}

/// The alerts.
pub(crate) fn payload(content: &Content, look: &Look) -> Value {
    let changes = match content {
        Content::Changes(notification) => &notification.changes,
        Content::Summary(summary) => return json!([in_one(summary, look)]),
    };
    let alerts = changes.changes.iter().zip(&look.lines);
    alerts
        .flat_map(|(change, line)| {
            let conditions = conditions(changes, change).into_iter();
            conditions.map(move |condition| alert(changes, change, &condition, line))
        })
        .collect()
}

fn in_one(summary: &Summary, look: &Look) -> Value {
    json!({
        "labels": {"alertname": "PortwatchSummary", "id": summary.id.to_string()},
        "annotations": {
            "summary": Room::plain(1024).line(&look.title),
            "severity": summary.severity.to_string(),
        },
        "startsAt": summary.created_at.to_string(),
        "endsAt": (summary.created_at + A_WHILE).to_string(),
    })
}

fn alert(changes: &Changes, change: &Change, condition: &Condition, line: &str) -> Value {
    let mut labels = labels(changes);
    labels.insert(
        "alertname".to_owned(),
        json!(format!("Portwatch{}", condition.name)),
    );
    if let Some(port) = change.transition.port() {
        labels.insert("port".to_owned(), json!(port.number.to_string()));
        labels.insert("protocol".to_owned(), json!(port.protocol.to_string()));
    }
    let annotations = json!({
        "summary": Room::plain(1024).line(line),
        "event": change.kind().to_string(),
        "severity": change.severity.to_string(),
    });
    let mut alert = json!({"labels": labels, "annotations": annotations});
    let end = match condition.phase {
        Phase::Ends => change.at,
        Phase::Begins => change.at + LONGEST,
        Phase::Happened => change.at + A_WHILE,
    };
    if condition.phase != Phase::Ends {
        alert["startsAt"] = json!(change.at.to_string());
    }
    alert["endsAt"] = json!(end.to_string());
    alert
}

fn labels(changes: &Changes) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut put = |name: &str, value: &str| {
        let value = Room::plain(256).line(value);
        labels.insert(name.to_owned(), json!(value));
    };
    if let Some(target) = changes.target() {
        put("target", &target.name);
        put("group", &target.group);
        put("zone", &target.zone.to_string());
    }
    match &changes.about {
        About::Host { ip, .. } => put("host", &ip.to_string()),
        About::Zone(zone) => put("zone", &zone.to_string()),
        About::Channel(channel) => put("channel", channel),
        About::Target(_) => {}
    }
    labels
}
