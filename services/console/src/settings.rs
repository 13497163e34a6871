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

/// A setting cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("console.{key}: a login lasts from a minute to a year: write it as 12h or 30m")]
pub struct InvalidSettings {
    key: &'static str,
}

impl Settings {
    /// The same, if they can be.
    pub(crate) fn checked(self) -> Result<Self, InvalidSettings> {
        let shortest = SignedDuration::from_mins(1);
        let longest = SignedDuration::from_hours(365 * 24);
        for (key, lasts) in [("session", self.session), ("token", self.token)] {
            if !(shortest..=longest).contains(&lasts) {
                return Err(InvalidSettings { key });
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_lasts_for_a_sensible_time() {
        let usual = Settings::default();
        assert!(usual.checked().is_ok());
        for wrong in [-1, 0, 59, 366 * 24 * 3600] {
            let session = SignedDuration::from_secs(wrong);
            let refused = Settings { session, ..usual }.checked();
            assert_eq!(refused.map(|_| ()), Err(InvalidSettings { key: "session" }));
        }
    }
}
