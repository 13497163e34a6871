//! The `[differ]` section.

use serde::Deserialize;

/// The `[differ]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many snapshot parts are applied at once.
    pub concurrency: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { concurrency: 8 }
    }
}
