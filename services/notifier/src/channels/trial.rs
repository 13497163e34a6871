//! A message that tries a channel, past the store and the routes.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use portwatch_domain::change::ChannelEvent;
use portwatch_domain::notification::Content;
use portwatch_schemas::TraceParent;
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
