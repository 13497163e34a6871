//! Who is told of a change, and why.

use super::matcher::{Matcher, Mismatch};
use crate::change::{About, Change};

/// One rule: what it is about, and who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// What it is about.
    pub matcher: Matcher,
    /// The channels that are told; none to tell nobody.
    pub channels: Vec<String>,
    /// Whether the rules after it are looked at as well.
    pub go_on: bool,
}

/// Rules, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// From first to last.
    pub rules: Vec<Rule>,
    /// The channels that are told what no rule is about.
    pub default: Vec<String>,
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The rule; `None` for the default route.
    pub rule: Option<&'a str>,
    /// The channels that it tells, or what did not fit.
    pub told: Result<&'a [String], Mismatch>,
}

/// Who is told, and how that came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way<'a> {
    /// The channels, each once, in the order in which the rules name them.
    pub channels: Vec<&'a str>,
    /// Every rule that was looked at.
    pub steps: Vec<Step<'a>>,
}

impl Routes {
    /// Who is told of the change. Silences and the *notify* switch are not looked at.
    pub fn way(&self, about: &About, change: &Change) -> Way<'_> {
        let mut way = Way::default();
        let mut fitted = false;
        for rule in &self.rules {
            let told = rule.matcher.check(about, change);
            let fits = told.is_ok();
            way.take(Some(&rule.name), told.map(|()| rule.channels.as_slice()));
            fitted |= fits;
            if fits && !rule.go_on {
                break;
            }
        }
        if !fitted {
            way.take(None, Ok(&self.default));
        }
        way
    }

    /// The names of channels that rules tell and that are none of these.
    pub fn unknown_channels(&self, known: &[&str]) -> Vec<(&str, &str)> {
        let of_rules = self.rules.iter().flat_map(|rule| {
            let channels = rule.channels.iter();
            channels.map(|channel| (rule.name.as_str(), channel.as_str()))
        });
        let of_default = self
            .default
            .iter()
            .map(|channel| ("default", channel.as_str()));
        of_rules
            .chain(of_default)
            .filter(|(_, channel)| !known.contains(channel))
            .collect()
    }
}

impl<'a> Way<'a> {
    fn take(&mut self, rule: Option<&'a str>, told: Result<&'a [String], Mismatch>) {
        for channel in told.into_iter().flatten() {
            if !self.channels.contains(&channel.as_str()) {
                self.channels.push(channel);
            }
        }
        self.steps.push(Step { rule, told });
    }
}
