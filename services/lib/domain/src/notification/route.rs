//! Who is told of a change, and why.

use jiff::{SignedDuration, Timestamp};

use super::matcher::{Matcher, Mismatch};
use crate::change::{About, Change, Changes};
use crate::target::{Cron, Every, Schedule};

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
    /// Not told at once, but at these times, together with everything else that came until then.
    pub digest: Option<Digest>,
}

/// When a digest is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// At these times.
    pub cron: Cron,
    /// The time zone of cron, by its IANA name.
    pub time_zone: String,
}

impl Digest {
    /// The first time after `now`; a day later if there is none.
    pub fn after(&self, now: Timestamp) -> Timestamp {
        let schedule = Schedule {
            every: Every::Cron(self.cron.clone()),
            closed: Vec::new(),
            time_zone: self.time_zone.clone(),
        };
        let day = SignedDuration::from_hours(24);
        schedule.cron_after(now).unwrap_or(now + day)
    }
}

/// A channel that is told, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop<'a> {
    /// The channel.
    pub channel: &'a str,
    /// In a digest.
    pub digest: Option<&'a Digest>,
}

/// The changes of which one channel is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share<'a> {
    /// Who is told, and when.
    pub stop: Stop<'a>,
    /// Which of the changes, by their places.
    pub places: Vec<usize>,
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
    /// The channels, each once (and once in each digest), in the order in which the rules name them.
    pub stops: Vec<Stop<'a>>,
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
            let told = told.map(|()| rule.channels.as_slice());
            way.take(Some(&rule.name), told, rule.digest.as_ref());
            fitted |= fits;
            if fits && !rule.go_on {
                break;
            }
        }
        if !fitted {
            way.take(None, Ok(&self.default), None);
        }
        way
    }

    /// Who is told which of the changes. `quiet` says of which nobody is told.
    pub fn share(&self, changes: &Changes, quiet: impl Fn(&Change) -> bool) -> Vec<Share<'_>> {
        let mut shares: Vec<Share<'_>> = Vec::new();
        for (place, change) in changes.changes.iter().enumerate() {
            if quiet(change) {
                continue;
            }
            for stop in self.way(&changes.about, change).stops {
                match shares.iter_mut().find(|share| share.stop == stop) {
                    Some(share) => share.places.push(place),
                    None => shares.push(Share {
                        stop,
                        places: vec![place],
                    }),
                }
            }
        }
        shares
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
    fn take(
        &mut self,
        rule: Option<&'a str>,
        told: Result<&'a [String], Mismatch>,
        digest: Option<&'a Digest>,
    ) {
        for channel in told.into_iter().flatten() {
            let stop = Stop { channel, digest };
            if !self.stops.contains(&stop) {
                self.stops.push(stop);
            }
        }
        self.steps.push(Step { rule, told });
    }

    /// The names of the channels, each once.
    pub fn channels(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for stop in &self.stops {
            if !names.contains(&stop.channel) {
                names.push(stop.channel);
            }
        }
        names
    }
}
