//! Who would be told of a change, and why.

mod sample;

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::change::{About, Change, ChangeKind, Severity};
use portwatch_domain::notification::quiet::{Quiet, quiet};
use portwatch_domain::notification::route::Way;
use portwatch_domain::notification::words::sentence;
use portwatch_domain::ports::Port;
use portwatch_domain::target::{Target, Zone};
use portwatch_store::{Store, StoreError};
use serde::Serialize;

use crate::{Routing, silences};

/// A change to try the routes with.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What happens.
    pub kind: ChangeKind,
    /// The name of the target, or `group/name`.
    pub target: Option<String>,
    /// Of changes that are about a zone.
    pub zone: Option<Zone>,
    /// Of changes that are about a channel.
    pub channel: Option<String>,
    /// The host; the target's first address if it is left out.
    pub host: Option<IpAddr>,
    /// The host's name.
    pub host_name: Option<String>,
    /// The port; 22 if it is left out.
    pub port: Option<Port>,
    /// As if the port should be in its new state.
    pub expected: bool,
    /// How much it matters; what such a change does if it is left out.
    pub severity: Option<Severity>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// What it is about is missing, or another thing.
    #[error("{kind} is about {about}: give {key}")]
    Needs {
        /// What happens.
        kind: ChangeKind,
        /// What it is about.
        about: &'static str,
        /// What to give.
        key: &'static str,
    },
    /// The kind is not about a port.
    #[error("port: {0} is not about a port")]
    NoPort(ChangeKind),
    /// The target has no address of its own.
    #[error("{0} is known by names only: give host")]
    NoAddress(String),
    /// There is no such target.
    #[error("no target {0:?}: `portwatch targets` lists them")]
    NoTarget(String),
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AskError {
    const fn needs(kind: ChangeKind, about: &'static str, key: &'static str) -> Self {
        Self::Needs { kind, about, key }
    }
}

/// What would happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The change in words.
    pub change: String,
    /// How much it matters.
    pub severity: &'static str,
    /// Why nobody is told; `null` if that is left to the routes.
    pub quiet: Option<String>,
    /// What each route says to it.
    pub routes: Vec<Step>,
    /// Channels that a route names, and that are off.
    pub off: Vec<String>,
    /// Who would be told.
    pub told: Vec<Told>,
}

/// What one route says to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `null` for the default.
    pub route: Option<String>,
    /// Whether it is about such changes.
    pub fits: bool,
    /// What does not fit.
    pub misfit: Option<&'static str>,
    /// Whom it names.
    pub channels: Vec<String>,
}

/// Who would be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The channel.
    pub channel: String,
    /// Whether in a digest.
    pub digest: bool,
}

/// Goes through silences, maintenance windows and routes with such a change, and tells nobody.
///
/// # Errors
/// If it is about something that is not there, or the store cannot be asked.
pub async fn ask(store: &Store, routing: &Routing, asked: &Asked) -> Result<Answer, AskError> {
    let target = match &asked.target {
        None => None,
        Some(name) => {
            let mut targets = store.targets().await?.into_iter();
            let found = targets.find(|target| target.is_called(name));
            Some(found.ok_or_else(|| AskError::NoTarget(name.clone()))?)
        }
    };
    let (about, change) = sample::sample(asked, target.as_ref())?;
    let now = Timestamp::now();
    let silences = silences::read(store, now).await?;
    let hushed = quiet(&silences, &routing.maintenance, &about, &change, now);
    let muted = target.is_some_and(|target: Target| !target.switches.notify);
    let quiet = if muted {
        Some("the target's notify switch is off".to_owned())
    } else {
        hushed.map(|quiet| why(&quiet))
    };
    let states = store.channels_in_trouble().await?;
    let off = states.into_iter().filter(|state| state.off.is_some());
    let off: Vec<String> = off.map(|state| state.name).collect();
    let way = routing.routes.way(&about, &change);
    Ok(answer(quiet, &about, &change, &way, &off))
}

fn why(quiet: &Quiet<'_>) -> String {
    match quiet {
        Quiet::Silenced(silence) => format!(
            "silenced by {} until {:.0}: {} ({})",
            silence.author, silence.until, silence.reason, silence.id
        ),
        Quiet::Maintained(window) => format!("in the maintenance window {}", window.name),
    }
}

fn answer(
    quiet: Option<String>,
    about: &About,
    change: &Change,
    way: &Way<'_>,
    off: &[String],
) -> Answer {
    let steps = way.steps.iter().map(|step| Step {
        route: step.rule.map(str::to_owned),
        fits: step.told.is_ok(),
        misfit: step.told.err().map(|misfit| misfit.0),
        channels: step.told.map(<[String]>::to_vec).unwrap_or_default(),
    });
    let is_off = |told: &Told| off.contains(&told.channel);
    let named = way.stops.iter().map(|stop| Told {
        channel: stop.channel.to_owned(),
        digest: stop.digest.is_some(),
    });
    let (off, told): (Vec<Told>, Vec<Told>) = named.partition(is_off);
    Answer {
        change: sentence(&about.subject(), change),
        severity: change.severity.as_str(),
        told: if quiet.is_some() { Vec::new() } else { told },
        quiet,
        routes: steps.collect(),
        off: off.into_iter().map(|told| told.channel).collect(),
    }
}
