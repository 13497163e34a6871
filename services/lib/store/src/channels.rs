//! How the channels fare by which people are told, and which of them are off.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::StoreError;
use crate::notifications::{EndedAttempt, NextStep};

/// Why and since when nobody is told by a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Off {
    /// Since when.
    pub at: Timestamp,
    /// Who has switched it off; `None`: nobody, its receiver was dead.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
}

/// How a channel fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelState {
    /// Its name.
    pub name: String,
    /// Since when every attempt has failed; `None` if the last one succeeded, or there was none.
    pub failing_since: Option<Timestamp>,
    /// `None` if it is on.
    pub off: Option<Off>,
    /// Its deliveries that wait for an attempt.
    pub pending: u64,
    /// Its deliveries that were given up.
    pub given_up: u64,
}

/// Keeps how channels fare. What attempts came to is noted when they are recorded.
#[async_trait]
pub trait Channels: Send + Sync {
    /// Every channel that fails, is off, or has deliveries that are not delivered; by name.
    async fn channels(&self) -> Result<Vec<ChannelState>, StoreError>;

    /// Those that fail or are off, without their deliveries: quickly.
    async fn channels_in_trouble(&self) -> Result<Vec<ChannelState>, StoreError>;

    /// Switches a channel off: what waits for it is given up, and no deliveries to it are made. An attempt under way
    /// still counts. False, and nothing happens, if it is off.
    async fn switch_off(&self, channel: &str, off: Off) -> Result<bool, StoreError>;

    /// Switches a channel on. False if it is not off.
    async fn switch_on(&self, channel: &str) -> Result<bool, StoreError>;
}

/// Whether attempts to a channel have succeeded, or since when they failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Works,
    FailsSince(Timestamp),
}

/// What the recorded attempts to each channel came to: one that succeeded shows that it works.
pub(crate) fn outcomes(
    recorded: &[Option<String>],
    ended: &[EndedAttempt],
) -> BTreeMap<String, Outcome> {
    let mut outcomes = BTreeMap::new();
    for (channel, ended) in recorded.iter().zip(ended) {
        let Some(channel) = channel else { continue };
        if ended.attempt.next == NextStep::Delivered {
            outcomes.insert(channel.clone(), Outcome::Works);
        } else {
            let fails = Outcome::FailsSince(ended.attempt.at);
            outcomes.entry(channel.clone()).or_insert(fails);
        }
    }
    outcomes
}
