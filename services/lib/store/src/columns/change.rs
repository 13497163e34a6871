//! A transition as a row of the history.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::change::{Change, ChangeId, ChangeKind, Transition};
use portwatch_domain::job::JobId;
use portwatch_domain::ports::Port;
use portwatch_domain::target::TargetId;
use uuid::Uuid;

use super::{EvidenceColumns, Unreadable, cut, detail, number, parse, service, signed};
use crate::history::{HistoryRow, Subject};

/// A row of `history`. Which columns have a value depends on the kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeColumns {
    pub(crate) id: Uuid,
    pub(crate) target: Option<Uuid>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) zone: Option<String>,
    pub(crate) run: Option<i64>,
    pub(crate) job: Option<Uuid>,
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) quiet: bool,
    pub(crate) protocol: Option<String>,
    pub(crate) port: Option<i32>,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) evidence: Option<EvidenceColumns>,
    pub(crate) expected: Option<bool>,
    pub(crate) suspect: Option<bool>,
    pub(crate) service: Option<String>,
    pub(crate) detail: Option<String>,
}

impl From<&HistoryRow> for ChangeColumns {
    fn from(row: &HistoryRow) -> Self {
        let (target, ip, zone) = match &row.about {
            Subject::Host { target, ip } => (Some(target.0), Some(*ip), None),
            Subject::Target(target) => (Some(target.0), None, None),
            Subject::Zone(zone) => (None, None, Some(zone.to_string())),
        };
        let change = &row.change;
        let port = change.transition.port();
        Self {
            id: change.id.0,
            target,
            ip,
            zone,
            run: row.run.map(signed),
            job: row.job.map(|job| job.0),
            at: cut(change.at),
            kind: change.kind().to_string(),
            severity: change.severity.to_string(),
            quiet: change.quiet,
            protocol: port.map(|port| port.protocol.to_string()),
            port: port.map(|port| port.number.into()),
            ..of_transition(&change.transition)
        }
    }
}

/// The columns that only some kinds have.
fn of_transition(transition: &Transition) -> ChangeColumns {
    let mut columns = ChangeColumns::default();
    match transition {
        Transition::Port {
            port: _,
            before,
            after,
            evidence,
            expected,
            service,
        } => {
            columns.before = Some(before.to_string());
            columns.after = Some(after.to_string());
            columns.evidence = Some(evidence.into());
            columns.expected = Some(*expected);
            columns.service = service.as_ref().and_then(service::to_json);
        }
        Transition::Host {
            before,
            after,
            suspect,
        } => {
            columns.before = Some(before.to_string());
            columns.after = Some(after.to_string());
            columns.suspect = Some(*suspect);
        }
        Transition::PortFlapping { state, .. } => columns.after = Some(state.to_string()),
        Transition::HostFlapping { state, .. } => columns.after = Some(state.to_string()),
        Transition::Service { .. }
        | Transition::Address { .. }
        | Transition::Overdue { .. }
        | Transition::Unattended { .. } => columns.detail = detail::of(transition),
        // What becomes of a channel is told, and is no history of any target.
        Transition::Channel(_) => {}
    }
    columns
}

impl ChangeColumns {
    pub(crate) fn row(self) -> Result<HistoryRow, Unreadable> {
        let about = match (self.target, self.ip, &self.zone) {
            (Some(target), Some(ip), _) => Subject::Host {
                target: TargetId(target),
                ip,
            },
            (Some(target), None, _) => Subject::Target(TargetId(target)),
            (None, _, zone) => Subject::Zone(parse("zone", zone.as_deref().unwrap_or_default())?),
        };
        Ok(HistoryRow {
            about,
            run: self.run.map(|run| number("run", run)).transpose()?,
            job: self.job.map(JobId),
            change: Change {
                id: ChangeId(self.id),
                transition: self.transition()?,
                severity: parse("severity", &self.severity)?,
                quiet: self.quiet,
                at: self.at,
            },
        })
    }

    fn transition(&self) -> Result<Transition, Unreadable> {
        let kind: ChangeKind = parse("kind", &self.kind)?;
        Ok(match kind {
            ChangeKind::PortOpened | ChangeKind::PortClosed | ChangeKind::PortFiltered => {
                Transition::Port {
                    port: self.port()?,
                    before: word("before", self.before.as_deref())?,
                    after: word("after", self.after.as_deref())?,
                    evidence: present("answer", self.evidence.as_ref())?.evidence()?,
                    expected: *present("expected", self.expected.as_ref())?,
                    service: self
                        .service
                        .as_deref()
                        .map(service::from_json)
                        .transpose()?,
                }
            }
            ChangeKind::PortFlapping | ChangeKind::PortSteady => Transition::PortFlapping {
                port: self.port()?,
                begins: kind == ChangeKind::PortFlapping,
                state: word("after", self.after.as_deref())?,
            },
            ChangeKind::HostUp | ChangeKind::HostDown | ChangeKind::HostSuspect => {
                Transition::Host {
                    before: word("before", self.before.as_deref())?,
                    after: word("after", self.after.as_deref())?,
                    suspect: *present("suspect", self.suspect.as_ref())?,
                }
            }
            ChangeKind::HostFlapping | ChangeKind::HostSteady => Transition::HostFlapping {
                begins: kind == ChangeKind::HostFlapping,
                state: word("after", self.after.as_deref())?,
            },
            ChangeKind::PortService => detail::service(self.port()?, self.detail()?)?,
            ChangeKind::TargetAddress => detail::address(self.detail()?)?,
            ChangeKind::TargetOverdue => detail::overdue(true, self.detail()?)?,
            ChangeKind::TargetScanned => detail::overdue(false, self.detail()?)?,
            ChangeKind::ZoneUnattended => Transition::Unattended { begins: true },
            ChangeKind::ZoneAttended => Transition::Unattended { begins: false },
            ChangeKind::ChannelOff | ChangeKind::ChannelOn | ChangeKind::ChannelTest => {
                return Err(Unreadable::new("kind", "a channel has no history"));
            }
        })
    }

    fn port(&self) -> Result<Port, Unreadable> {
        Ok(Port {
            protocol: word("protocol", self.protocol.as_deref())?,
            number: number("port", (*present("port", self.port.as_ref())?).into())?,
        })
    }

    fn detail(&self) -> Result<&str, Unreadable> {
        Ok(present("detail", self.detail.as_ref())?)
    }
}

fn present<'a, T>(column: &'static str, value: Option<&'a T>) -> Result<&'a T, Unreadable> {
    value.ok_or_else(|| Unreadable::new(column, "it is empty"))
}

fn word<T>(column: &'static str, text: Option<&str>) -> Result<T, Unreadable>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    parse(
        column,
        text.ok_or_else(|| Unreadable::new(column, "it is empty"))?,
    )
}
