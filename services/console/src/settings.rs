//! The `[console]` section.

use jiff::SignedDuration;
use serde::Deserialize;

/// The `[console]` section.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How long somebody stays logged in to the pages.
    pub session: SignedDuration,
    /// How long a token from `POST /api/login` counts; an hour with Roxy-WI.
    pub token: SignedDuration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            session: SignedDuration::from_hours(12),
            token: SignedDuration::from_hours(1),
        }
    }
}
