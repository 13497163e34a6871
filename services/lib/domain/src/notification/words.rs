//! Changes in plain words, for terminals, mail and chat.

pub mod many;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::net::IpAddr;

use crate::change::{Change, ChangeKind, Changes, ChannelEvent, Transition};
use crate::ports::{Port, service_name};
use crate::snapshot::{Answer, Evidence, HostState, PortState, Service};

/// One change as a sentence without an end: `192.0.2.7: port 22/tcp (ssh) opened`. `host` is what it is about:
/// a host, a target, a zone or a channel.
pub fn sentence(host: &str, change: &Change) -> String {
    let transition = &change.transition;
    let what = match transition.port() {
        Some(port) => of_port(port, transition),
        None => of_others(transition),
    };
    format!("{host}: {what}")
}

/// What became of a port.
fn of_port(port: Port, transition: &Transition) -> String {
    let named = |service| format!("port {}{}", numbered(port), in_brackets(port, service));
    match transition {
        Transition::Port {
            before,
            after,
            evidence,
            expected,
            service,
            ..
        } => {
            let what = match (before, after) {
                // The baseline.
                (PortState::Unknown, PortState::Open) => "is open",
                (PortState::Unknown, PortState::Filtered) => "is filtered",
                (PortState::Unknown, _) => "is closed",
                (_, PortState::Open) => "opened",
                (_, PortState::Filtered) => "is now filtered",
                (_, PortState::Closed | PortState::Unknown) => "closed",
            };
            let note = if *expected { ", as expected" } else { "" };
            let port = named(service.as_ref());
            format!("{port} {what}{note} — {}", why(evidence))
        }
        Transition::Service { before, after, .. } => {
            format!("port {} {}", numbered(port), another(before, after))
        }
        Transition::PortFlapping { begins, state, .. } => {
            format!("{} {}", named(None), flapping(*begins, state))
        }
        _ => named(None),
    }
}

fn numbered(port: Port) -> String {
    format!("{}/{}", port.number, port.protocol)
}

/// What became of a host, a target, a zone or a channel.
fn of_others(transition: &Transition) -> String {
    match transition {
        Transition::Host { suspect: true, .. } => {
            "answers open on every port (SYN proxy or tarpit), its ports are not judged".to_owned()
        }
        Transition::Host {
            before: HostState::Unknown,
            after: HostState::Up,
            ..
        } => "host is up".to_owned(),
        Transition::Host {
            after: HostState::Up,
            ..
        } => "host is up again".to_owned(),
        Transition::Host { .. } => "host is down".to_owned(),
        Transition::HostFlapping { begins, state } => {
            format!("host {}", flapping(*begins, state))
        }
        Transition::Address {
            name,
            before,
            after,
        } => format!(
            "{name} now resolves to {}, before to {}",
            addresses(after),
            addresses(before)
        ),
        Transition::Overdue {
            begins: true,
            scanned_at: Some(at),
        } => format!("overdue, not scanned since {at:.0}"),
        Transition::Overdue { begins: true, .. } => "overdue, never scanned yet".to_owned(),
        Transition::Overdue { .. } => "scanned again, no longer overdue".to_owned(),
        Transition::Unattended { begins: true } => "no scanner does its jobs".to_owned(),
        Transition::Unattended { .. } => "its jobs are done again".to_owned(),
        Transition::Channel(ChannelEvent::Off { reason }) => {
            format!("switched off, nobody is told by it: {reason}")
        }
        Transition::Channel(ChannelEvent::On) => "switched on again".to_owned(),
        Transition::Channel(ChannelEvent::Test) => "this is a test, nothing has changed".to_owned(),
        Transition::Port { port, .. }
        | Transition::Service { port, .. }
        | Transition::PortFlapping { port, .. } => format!("port {}", numbered(*port)),
    }
}

/// All changes in one line: the change itself, or how many there are of a host.
pub fn summary(changes: &Changes) -> String {
    match changes.changes.as_slice() {
        [change] => sentence(&changes.subject(), change),
        many => {
            let mut parts = Vec::new();
            for (kind, word) in [
                (ChangeKind::HostUp, "host is up again"),
                (ChangeKind::HostDown, "host is down"),
                (ChangeKind::HostSuspect, "answers open on every port"),
                (ChangeKind::HostFlapping, "host is flapping"),
                (ChangeKind::HostSteady, "host is steady again"),
                (ChangeKind::TargetAddress, "resolves to other addresses"),
                (ChangeKind::TargetOverdue, "overdue"),
                (ChangeKind::TargetScanned, "scanned again"),
                (ChangeKind::ZoneUnattended, "no scanner does its jobs"),
                (ChangeKind::ZoneAttended, "its jobs are done again"),
                (ChangeKind::ChannelOff, "switched off"),
                (ChangeKind::ChannelOn, "switched on again"),
            ] {
                if many.iter().any(|change| change.kind() == kind) {
                    parts.push(word.to_owned());
                }
            }
            for (kind, word) in [
                (ChangeKind::PortOpened, "opened"),
                (ChangeKind::PortClosed, "closed"),
                (ChangeKind::PortFiltered, "filtered"),
                (ChangeKind::PortFlapping, "flapping"),
                (ChangeKind::PortSteady, "steady again"),
                (ChangeKind::PortService, "with another service"),
            ] {
                let count = many.iter().filter(|change| change.kind() == kind).count();
                if count > 0 {
                    parts.push(format!("{count} {word}"));
                }
            }
            format!(
                "{}: {} changes ({})",
                changes.subject(),
                many.len(),
                parts.join(", ")
            )
        }
    }
}

/// Of what the other side says, a line shows at most so many characters.
const MOST_SAID: usize = 80;

/// What listens there, as far as is known: ` (ssh: OpenSSH_9.2p1)`. A name that nothing but the number suggests
/// stands alone.
fn in_brackets(port: Port, service: Option<&Service>) -> String {
    let usual = service_name(port);
    let name = service.and_then(Service::proven_name).or(usual);
    let said = service.and_then(Service::description).map(cut);
    match (name, said) {
        (Some(name), Some(said)) => format!(" ({name}: {said})"),
        (None, Some(said)) => format!(" ({said})"),
        (Some(name), None) => format!(" ({name})"),
        (None, None) => String::new(),
    }
}

/// What became of a service. If it is called the same, only its certificate or its web server is another.
fn another(before: &Service, after: &Service) -> String {
    let (was, is) = (described(before), described(after));
    let certificate = |service: &Service| {
        let tls = service.tls.as_ref()?;
        tls.certificate.as_ref().map(|shown| shown.sha256)
    };
    if was != is {
        format!("now answers as {is}, before as {was}")
    } else if certificate(before) == certificate(after) {
        format!("still answers as {is}, but is another server")
    } else {
        format!("still answers as {is}, but with another certificate")
    }
}

/// What listens there, in the words of the other side as far as it had any: `ssh (OpenSSH_9.2p1)`.
fn described(service: &Service) -> String {
    match (service.proven_name(), service.description().map(cut)) {
        (Some(name), Some(said)) => format!("{name} ({said})"),
        (Some(name), None) => name.to_owned(),
        (None, Some(said)) => said,
        (None, None) => "an unknown service".to_owned(),
    }
}

fn flapping(begins: bool, state: impl Display) -> String {
    if begins {
        format!("is flapping, now {state}; its changes are not told until it is steady")
    } else {
        format!("is steady again: {state}")
    }
}

/// Of a list of addresses, a line shows at most so many.
const MOST_ADDRESSES: usize = 4;

fn addresses(addresses: &[IpAddr]) -> String {
    let shown = addresses.iter().take(MOST_ADDRESSES);
    let texts: Vec<String> = shown.map(ToString::to_string).collect();
    let more = addresses.len().saturating_sub(MOST_ADDRESSES);
    let texts = texts.join(", ");
    if more == 0 {
        texts
    } else {
        format!("{texts} and {more} more")
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_SAID) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn why(evidence: &Evidence) -> String {
    match evidence.answer {
        Answer::SynAck => "it accepts connections (SYN-ACK)".to_owned(),
        Answer::Rst => "it refuses connections (RST)".to_owned(),
        Answer::UdpReply => "it answers (UDP)".to_owned(),
        Answer::IcmpUnreachable(code) => {
            format!("rejected on the way (ICMP unreachable, code {code})")
        }
        Answer::NoResponse if evidence.probes == 1 => "no response to 1 probe".to_owned(),
        Answer::NoResponse => format!("no response to {} probes", evidence.probes),
    }
}
