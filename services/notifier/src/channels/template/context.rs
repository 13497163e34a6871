//! What templates know of a notification. `ops/channels.md` lists it for those who write them.

use minijinja::{Value, context};
use portwatch_domain::change::{About, Change, Transition};
use portwatch_domain::notification::Notification;
use portwatch_domain::ports::service_name;
use portwatch_domain::snapshot::{HostState, Service};

use crate::channels::look::Look;

/// Each change. All have the same fields; one that says nothing of a change is none.
pub(super) fn changes(notification: &Notification, look: &Look) -> Vec<Value> {
    let changes = notification.changes.changes.iter();
    changes
        .zip(&look.lines)
        .map(|(change, text)| of_change(change, text))
        .collect()
}

/// What the title and the footer know.
pub(super) fn whole(notification: &Notification, look: &Look, changes: &[Value]) -> Value {
    let about = &notification.changes.about;
    let target = notification.changes.target();
    let zone = about.zone().map(ToString::to_string);
    let host = match about {
        About::Host { name, .. } => name.clone(),
        About::Target(_) | About::Zone(_) | About::Channel(_) => None,
    };
    context! {
        summary => look.title.clone(),
        footer => look.footer.clone(),
        severity => look.severity.as_str(),
        subject => notification.changes.subject(),
        host => host,
        ip => notification.changes.ip().map(|ip| ip.to_string()),
        target => target.map(|target| target.name.clone()),
        group => target.map(|target| target.group.clone()),
        tags => target.map(|target| target.tags.clone()).unwrap_or_default(),
        zone => zone,
        created_at => format!("{:.0}", notification.created_at),
        changes => changes.to_vec(),
    }
}

/// What the line of one change knows: all of it, and the change.
pub(super) fn one(whole: &Value, change: &Value) -> Value {
    context! { change => change, ..whole.clone() }
}

/// What differs between the kinds of transitions.
#[derive(Default)]
struct Fields {
    before: Option<String>,
    after: Option<String>,
    expected: Option<bool>,
    evidence: Option<String>,
    said: Option<String>,
    name: Option<String>,
}

fn of_change(change: &Change, text: &str) -> Value {
    let port = change.transition.port();
    let fields = fields(&change.transition);
    let usual = port.and_then(service_name).map(str::to_owned);
    context! {
        id => change.id.0.to_string(),
        kind => change.kind().as_str(),
        text => text,
        severity => change.severity.as_str(),
        at => format!("{:.0}", change.at),
        port => port.map(|port| port.number),
        protocol => port.map(|port| port.protocol.as_str()),
        service => fields.name.or(usual),
        said => fields.said,
        before => fields.before,
        after => fields.after,
        expected => fields.expected,
        evidence => fields.evidence,
    }
}

fn fields(transition: &Transition) -> Fields {
    let word = |state: HostState| Some(state.to_string());
    match transition {
        Transition::Port {
            before,
            after,
            evidence,
            expected,
            service,
            ..
        } => Fields {
            before: Some(before.to_string()),
            after: Some(after.to_string()),
            expected: Some(*expected),
            evidence: Some(evidence.answer.to_string()),
            said: service.as_ref().and_then(said),
            name: service.as_ref().and_then(proven),
        },
        Transition::Service { before, after, .. } => Fields {
            before: said(before).or_else(|| proven(before)),
            after: said(after).or_else(|| proven(after)),
            said: said(after),
            name: proven(after),
            ..Fields::default()
        },
        Transition::PortFlapping { state, .. } => Fields {
            after: Some(state.to_string()),
            ..Fields::default()
        },
        Transition::Host { before, after, .. } => Fields {
            before: word(*before),
            after: word(*after),
            ..Fields::default()
        },
        Transition::HostFlapping { state, .. } => Fields {
            after: word(*state),
            ..Fields::default()
        },
        Transition::Address { before, after, .. } => {
            let listed = |addresses: &[std::net::IpAddr]| {
                let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                Some(texts.join(", "))
            };
            Fields {
                before: listed(before),
                after: listed(after),
                ..Fields::default()
            }
        }
        Transition::Overdue { .. } | Transition::Unattended { .. } | Transition::Channel(_) => {
            Fields::default()
        }
    }
}

fn said(service: &Service) -> Option<String> {
    service.description().map(str::to_owned)
}

fn proven(service: &Service) -> Option<String> {
    service.proven_name().map(str::to_owned)
}
