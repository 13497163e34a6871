//! Silences and maintenance windows: what is not told for a while, though history grows.

use jiff::Timestamp;
use uuid::Uuid;

use super::matcher::Matcher;
use crate::change::{About, Change};
use crate::target::{Window, is_within};

/// Not to be told from one time to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its id.
    pub id: Uuid,
    /// What it is about.
    pub matcher: Matcher,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub author: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when; not part of it.
    pub until: Timestamp,
}

/// Not to be told in windows that recur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// What people call it.
    pub name: String,
    /// What it is about.
    pub matcher: Matcher,
    /// When.
    pub windows: Vec<Window>,
    /// The time zone of the windows, by its IANA name.
    pub time_zone: String,
}

/// Why a change is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quiet<'a> {
    /// A silence.
    Silenced(&'a Silence),
    /// A maintenance window.
    Maintained(&'a Maintenance),
}

/// Why nobody is told of the change at `now`; `None` if somebody is.
pub fn quiet<'a>(
    silences: &'a [Silence],
    maintenance: &'a [Maintenance],
    about: &About,
    change: &Change,
    now: Timestamp,
) -> Option<Quiet<'a>> {
    let fits = |matcher: &Matcher| matcher.check(about, change).is_ok();
    let silence = silences
        .iter()
        .find(|silence| silence.from <= now && now < silence.until && fits(&silence.matcher));
    let window = || {
        maintenance.iter().find(|window| {
            is_within(&window.windows, &window.time_zone, now) && fits(&window.matcher)
        })
    };
    silence
        .map(Quiet::Silenced)
        .or_else(|| window().map(Quiet::Maintained))
}
