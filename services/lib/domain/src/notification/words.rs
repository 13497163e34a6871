//! Changes in plain words, for terminals, mail and chat.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::change::{Change, ChangeKind, Changes, Transition};
use crate::ports::{Port, service_name};
use crate::snapshot::{Answer, Evidence, HostState, PortState, Service};

/// One change of a host as a sentence without an end: `192.0.2.7: port 22/tcp (ssh) opened`.
pub fn sentence(host: &str, change: &Change) -> String {
    match &change.transition {
        Transition::Port {
            port,
            after,
            evidence,
            expected,
            service,
            ..
        } => {
            let service = in_brackets(*port, service.as_ref());
            let what = match after {
                PortState::Open => "opened",
                PortState::Filtered => "is now filtered",
                PortState::Closed | PortState::Unknown => "closed",
            };
            let note = if *expected { ", as expected" } else { "" };
            let number = port.number;
            let protocol = port.protocol;
            format!(
                "{host}: port {number}/{protocol}{service} {what}{note} — {}",
                why(evidence)
            )
        }
        Transition::Host { suspect: true, .. } => {
            format!(
                "{host}: answers open on every port (SYN proxy or tarpit), its ports are not judged"
            )
        }
        Transition::Host {
            after: HostState::Up,
            ..
        } => format!("{host}: host is up again"),
        Transition::Host { .. } => format!("{host}: host is down"),
        Transition::Service {
            port,
            before,
            after,
        } => {
            let said = |service: &Service| {
                let said = service.proven_name().or(service.description());
                cut(said.unwrap_or("unknown"))
            };
            format!(
                "{host}: port {}/{} now answers as {}, before as {}",
                port.number,
                port.protocol,
                said(after),
                said(before)
            )
        }
        Transition::PortFlapping {
            port, begins: true, ..
        } => format!(
            "{host}: port {}/{} is flapping: its changes are not told until it is steady",
            port.number, port.protocol
        ),
        Transition::PortFlapping { port, state, .. } => format!(
            "{host}: port {}/{} is steady again: {state}",
            port.number, port.protocol
        ),
        Transition::HostFlapping { begins: true, .. } => {
            format!("{host}: host is flapping: its changes are not told until it is steady")
        }
        Transition::HostFlapping { state, .. } => format!("{host}: host is steady again: {state}"),
        Transition::Address {
            name,
            before,
            after,
        } => format!(
            "{host}: {name} is now {}, before {}",
            addresses(after),
            addresses(before)
        ),
        Transition::Overdue {
            begins: true,
            scanned_at: Some(at),
        } => format!("{host}: not scanned since {at:.0}"),
        Transition::Overdue { begins: true, .. } => format!("{host}: never scanned yet"),
        Transition::Overdue { .. } => format!("{host}: is scanned again"),
        Transition::Unattended { begins: true } => {
            format!("{host}: no scanner does its jobs")
        }
        Transition::Unattended { .. } => format!("{host}: its jobs are done again"),
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

fn addresses(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(", ")
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
