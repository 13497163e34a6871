//! Which changes a rule, a silence or a maintenance window is about.

use std::fmt;
use std::str::FromStr;

use crate::change::{About, Change, Severity, Transition};
use crate::ports::PortSet;
use crate::target::IpRange;

/// A text with `*` for any characters, compared without regard to case: `web-*`, `port.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// A pattern without a character in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an empty pattern matches nothing: use * for anything")]
pub struct PatternError;

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PatternError);
        }
        Ok(Self(text.to_lowercase()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Whether the whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == text;
        };
        let Some(mut left) = text.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let Some(at) = left.find(part) else {
                return false;
            };
            left = &left[at + part.len()..];
        }
        left.ends_with(last)
    }
}

/// A host by its name or address, or a block of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Addresses from one to another.
    Range(IpRange),
    /// The host's name, or its address as text.
    Name(Pattern),
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        match text.trim().parse() {
            Ok(range) => Ok(Self::Range(range)),
            Err(_) => text.parse().map(Self::Name),
        }
    }
}

/// What a change must be like. A list that is empty asks for nothing; one that is not asks for any one of its items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// The target's group.
    pub groups: Vec<Pattern>,
    /// The target's name.
    pub targets: Vec<Pattern>,
    /// One of the target's tags.
    pub tags: Vec<Pattern>,
    /// The zone, or that of the target.
    pub zones: Vec<Pattern>,
    /// The host.
    pub hosts: Vec<HostPattern>,
    /// The kind of change: `port.opened`, `host.*`.
    pub kinds: Vec<Pattern>,
    /// The port; a change that is not about one does not fit.
    pub ports: Option<PortSet>,
    /// Whether the port should be in its new state; a change that is not about that does not fit.
    pub expected: Option<bool>,
    /// At least as severe.
    pub severity: Option<Severity>,
}

/// What does not fit, in the words of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch(pub &'static str);

impl Matcher {
    /// Whether the change fits; if not, the first thing about it that does not.
    pub fn check(&self, about: &About, change: &Change) -> Result<(), Mismatch> {
        let target = about.target();
        let of_target =
            |patterns: &[Pattern], text: &dyn Fn(&crate::target::TargetRef) -> String| {
                patterns.is_empty() || target.is_some_and(|target| any(patterns, &text(target)))
            };
        let tags = || match target {
            _ if self.tags.is_empty() => true,
            Some(target) => target.tags.iter().any(|tag| any(&self.tags, tag)),
            None => false,
        };
        let port = change.transition.port();
        let fits_port = |ports: &PortSet| port.is_some_and(|port| ports.contains(port));
        let checks = [
            (
                "group",
                of_target(&self.groups, &|target| target.group.clone()),
            ),
            (
                "target",
                of_target(&self.targets, &|target| target.name.clone()),
            ),
            ("tag", tags()),
            (
                "zone",
                self.zones.is_empty()
                    || about
                        .zone()
                        .is_some_and(|zone| any(&self.zones, zone.as_str())),
            ),
            ("host", self.hosts.is_empty() || self.is_host(about)),
            (
                "kind",
                self.kinds.is_empty() || any(&self.kinds, change.kind().as_str()),
            ),
            ("ports", self.ports.as_ref().is_none_or(fits_port)),
            (
                "expected",
                self.expected
                    .is_none_or(|wanted| expected(change) == Some(wanted)),
            ),
            (
                "severity",
                self.severity.is_none_or(|least| change.severity >= least),
            ),
        ];
        match checks.iter().find(|(_, fits)| !fits) {
            Some((what, _)) => Err(Mismatch(what)),
            None => Ok(()),
        }
    }

    fn is_host(&self, about: &About) -> bool {
        let About::Host { ip, name, .. } = about else {
            return false;
        };
        self.hosts.iter().any(|host| match host {
            HostPattern::Range(range) => range.contains(*ip),
            HostPattern::Name(pattern) => {
                pattern.matches(&ip.to_string())
                    || name.as_ref().is_some_and(|name| pattern.matches(name))
            }
        })
    }
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

const fn expected(change: &Change) -> Option<bool> {
    match change.transition {
        Transition::Port { expected, .. } => Some(expected),
        _ => None,
    }
}
