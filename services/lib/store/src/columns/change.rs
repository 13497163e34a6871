//! A transition as a row of the history.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::change::{Change, ChangeId, Severity, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use uuid::Uuid;

use super::{EvidenceColumns, Unreadable, cut, number, parse, service};
use crate::snapshots::HistoryRow;

/// A row of `history`, without its target. The host's own transitions have no port, no evidence
/// and no `expected`; those of ports have no `suspect`.
#[derive(Clone, Debug)]
pub(crate) struct ChangeColumns {
    pub(crate) id: Uuid,
    pub(crate) ip: IpAddr,
    pub(crate) job: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) port: Option<PortPart>,
    pub(crate) suspect: Option<bool>,
}

/// What only a port's transition has.
#[derive(Clone, Debug)]
pub(crate) struct PortPart {
    pub(crate) protocol: String,
    pub(crate) number: i32,
    pub(crate) evidence: EvidenceColumns,
    pub(crate) expected: bool,
    pub(crate) service: Option<String>,
}

impl ChangeColumns {
    pub(crate) fn new(ip: IpAddr, change: &Change, job: JobId) -> Self {
        let (before, after, port, suspect) = match &change.transition {
            Transition::Port {
                port,
                before,
                after,
                evidence,
                expected,
                service,
            } => {
                let part = PortPart {
                    protocol: port.protocol.to_string(),
                    number: port.number.into(),
                    evidence: evidence.into(),
                    expected: *expected,
                    service: service.as_ref().and_then(service::to_json),
                };
                (before.as_str(), after.as_str(), Some(part), None)
            }
            Transition::Host {
                before,
                after,
                suspect,
            } => (before.as_str(), after.as_str(), None, Some(*suspect)),
            _ => ("unknown", "unknown", None, Some(false)),
        };
        Self {
            id: change.id.0,
            ip,
            job: job.0,
            at: cut(change.at),
            before: before.to_owned(),
            after: after.to_owned(),
            port,
            suspect,
        }
    }

    pub(crate) fn row(self) -> Result<HistoryRow, Unreadable> {
        let transition = match self.port {
            Some(part) => Transition::Port {
                port: Port {
                    protocol: parse("protocol", &part.protocol)?,
                    number: number("port", part.number.into())?,
                },
                before: parse("before", &self.before)?,
                after: parse("after", &self.after)?,
                evidence: part.evidence.evidence()?,
                expected: part.expected,
                service: part
                    .service
                    .map(|json| service::from_json(&json))
                    .transpose()?,
            },
            None => Transition::Host {
                before: parse("before", &self.before)?,
                after: parse("after", &self.after)?,
                suspect: self.suspect.unwrap_or(false),
            },
        };
        Ok(HistoryRow {
            ip: self.ip,
            change: Change {
                id: ChangeId(self.id),
                transition,
                severity: Severity::Medium,
                quiet: false,
                at: self.at,
            },
            job: JobId(self.job),
        })
    }
}
