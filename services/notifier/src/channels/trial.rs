//! A message that tries a channel, past the store and the routes.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use portwatch_domain::change::ChannelEvent;
use portwatch_domain::notification::Content;
use portwatch_schemas::TraceParent;
use serde::Serialize;
use uuid::Uuid;

use super::{Channel, Failed, Message, Sent};
use crate::switch;

/// What a trial came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The delivery's id; the `webhook-id`.
    pub delivery: Uuid,
    /// How long it took.
    pub latency: Duration,
    /// What the receiver did.
    pub result: Result<Sent, Failed>,
}

/// A trial, as programs read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The channel.
    pub channel: String,
    /// The delivery's id; the `webhook-id`.
    pub delivery: Uuid,
    /// Whether the receiver took it.
    pub taken: bool,
    /// How long it took.
    pub latency_ms: u64,
    /// The status of HTTP or SMTP, if there was one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// The beginning of what the receiver answered.
    pub answer: Option<String>,
}

impl Tried {
    /// What a trial of this channel came to.
    pub fn new(channel: &str, trial: Trial) -> Self {
        let taken = trial.result.is_ok();
        let (status, error, answer) = match trial.result {
            Ok(sent) => (sent.status, None, sent.answer),
            Err(failed) => (failed.status, Some(failed.error), failed.answer),
        };
        Self {
            channel: channel.to_owned(),
            delivery: trial.delivery,
            taken,
            latency_ms: u64::try_from(trial.latency.as_millis()).unwrap_or(u64::MAX),
            status,
            error,
            answer,
        }
    }
}

impl Channel {
    /// Sends a message that says to be a test, once, and gives what the receiver did with it. Nothing is kept.
    pub async fn test(&self) -> Trial {
        let now = Timestamp::now();
        let notification =
            switch::notification(Uuid::new_v4(), self.name(), ChannelEvent::Test, now, now);
        let id = notification.id;
        let delivery = notification.delivery_id(self.name());
        let message = Message {
            delivery,
            at: now,
            trace: TraceParent::new(id.as_u128(), id.as_u64_pair().1),
            content: Content::Changes(notification),
            thread: None,
        };
        let started = Instant::now();
        let result = self.send(message).await;
        Trial {
            delivery,
            latency: started.elapsed(),
            result,
        }
    }
}
