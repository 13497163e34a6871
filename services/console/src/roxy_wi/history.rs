//! `GET /api/server/portscanner/<id or ip>/ports`: despite its name, the history of a server's ports.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use portwatch_domain::change::{Change, ChangeKind, Transition};
use portwatch_domain::ports::service_name;
use portwatch_domain::snapshot::{PortState, Service};
use portwatch_store::history::HistoryFilter;
use serde_json::{Value, json};

use super::server;
use crate::Shared;
use crate::answer::{Refusal, found};
use crate::caller::Caller;

/// So many of the newest are shown at the most.
const MOST: u32 = 10_000;

/// What ports did, as Roxy-WI counts it: opened or closed.
pub(crate) const KINDS: [ChangeKind; 3] = [
    ChangeKind::PortOpened,
    ChangeKind::PortClosed,
    ChangeKind::PortFiltered,
];

/// The newest first.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    path: Path<String>,
) -> Result<Response, Refusal> {
    let server = server(&shared, &caller, &path).await?;
    let filter = HistoryFilter {
        kinds: KINDS.to_vec(),
        ..HistoryFilter::of(server.state.target.id, MOST)
    };
    let rows = shared.deps.store.history(filter).await?;
    let entries: Vec<_> = rows.iter().filter_map(|row| entry(&row.change)).collect();
    Ok(found(&entries))
}

/// `null` as the service's name would break scripts: what has no name has an empty one.
fn entry(change: &Change) -> Option<Value> {
    let port = change.transition.port()?;
    Some(json!({
        "port": port.number,
        "status": status(change)?,
        "service_name": service(change).unwrap_or_default(),
        "date": change.at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
    }))
}

/// Roxy-WI's word for it: a port that was open and answers no longer is closed. One that was not open, and still is
/// not, did neither.
pub(crate) const fn status(change: &Change) -> Option<&'static str> {
    match change.transition {
        Transition::Port {
            after: PortState::Open,
            ..
        } => Some("opened"),
        Transition::Port {
            before: PortState::Open,
            ..
        } => Some("closed"),
        _ => None,
    }
}

/// What listens there: as it was found, else what usually does.
pub(crate) fn service(change: &Change) -> Option<String> {
    let found = match &change.transition {
        Transition::Port { service, .. } => service.as_ref().and_then(Service::proven_name),
        _ => None,
    };
    let usual = || change.transition.port().and_then(service_name);
    found.or_else(usual).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use portwatch_domain::change::{ChangeId, Severity};
    use portwatch_domain::ports::Port;
    use portwatch_domain::snapshot::{Answer, Evidence};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_what_was_open_closes() {
        use PortState::{Closed, Filtered, Open, Unknown};
        let cases = [
            (Closed, Open, Some("opened")),
            (Filtered, Open, Some("opened")),
            (Unknown, Open, Some("opened")),
            (Open, Closed, Some("closed")),
            (Open, Filtered, Some("closed")),
            (Closed, Filtered, None),
            (Filtered, Closed, None),
            (Unknown, Closed, None),
        ];
        for (before, after, expected) in cases {
            let transition = Transition::Port {
                port: Port::tcp(22),
                before,
                after,
                evidence: Evidence {
                    answer: Answer::SynAck,
                    ttl: None,
                    rtt: None,
                    probes: 1,
                },
                expected: false,
                service: None,
            };
            let change = Change {
                id: ChangeId(Uuid::nil()),
                severity: Severity::Info,
                transition,
                quiet: false,
                at: Timestamp::UNIX_EPOCH,
            };
            assert_eq!(status(&change), expected, "{before} → {after}");
        }
    }
}
