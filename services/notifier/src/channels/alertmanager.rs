//! Alertmanager: `POST /api/v2/alerts`, <https://prometheus.io/docs/alerting/latest/alerts_api/>.
//!
//! One alert for each change, with the same labels when something begins and when it ends.

#[cfg(test)]
mod tests;

use jiff::SignedDuration;
use portwatch_domain::change::{About, Change, Changes};
use portwatch_domain::notification::Notification;
use serde_json::{Map, Value, json};

use super::address;
use super::condition::{Phase, condition};
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
pub(crate) fn payload(notification: &Notification, look: &Look) -> Value {
    let changes = &notification.changes;
    let alerts = changes.changes.iter().zip(&look.lines);
    alerts
        .map(|(change, line)| alert(changes, change, line))
        .collect()
}

fn alert(changes: &Changes, change: &Change, line: &str) -> Value {
    let condition = condition(changes, change);
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
        About::Target(_) => {}
    }
    labels
}
