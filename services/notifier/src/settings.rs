//! The `[notifier]` section.

use portwatch_runtime::settings::Secret;
use serde::Deserialize;

/// The `[notifier]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many changes are recorded at once.
    pub concurrency: u16,
    /// How many deliveries are attempted at once.
    pub attempts_at_once: u16,
    /// The webhook, if there is one.
    pub webhook: Option<WebhookSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 8,
            attempts_at_once: 32,
            webhook: None,
        }
    }
}

/// The `[notifier.webhook]` section.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WebhookSettings {
    /// Where to post.
    pub url: String,
    /// What to sign with: `whsec_` and the base64 of 24 to 64 bytes.
    pub secret: Secret,
}

/// A channel's settings are wrong.
#[derive(Debug, thiserror::Error)]
#[error("notifier.{name}.{cause}")]
pub struct InvalidChannel {
    pub(crate) name: &'static str,
    pub(crate) cause: String,
}
