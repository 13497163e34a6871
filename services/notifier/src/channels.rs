//! The channels: one file each, and one line in [`configured`].

pub mod terminal;
pub mod webhook;

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::retry::Failure;
use portwatch_schemas::TraceParent;
use uuid::Uuid;

use crate::settings::{InvalidChannel, Settings};

/// What a channel is given to send.
#[derive(Clone, Debug)]
pub struct Message {
    /// The delivery's id: the same at every attempt.
    pub delivery: Uuid,
    /// When this attempt is made.
    pub at: Timestamp,
    /// The trace that the scan began.
    pub trace: TraceParent,
    /// What is told.
    pub notification: Notification,
}

/// The receiver has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
}

/// The receiver has not taken it, or did not say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whether it may work later.
    pub failure: Failure,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong, without secrets.
    pub error: String,
}

impl Failed {
    pub(crate) const fn permanent(error: String) -> Self {
        Self {
            failure: Failure::Permanent,
            status: None,
            error,
        }
    }

    pub(crate) const fn temporary(error: String) -> Self {
        Self {
            failure: Failure::Temporary { retry_after: None },
            status: None,
            error,
        }
    }
}

/// What sending ends in.
pub type Sending = Pin<Box<dyn Future<Output = Result<Sent, Failed>> + Send>>;

/// A named way to tell somebody.
pub struct Channel {
    name: String,
    send: Box<dyn Fn(Message) -> Sending + Send + Sync>,
}

impl Channel {
    /// A channel that sends with this function.
    pub fn new(
        name: impl Into<String>,
        send: impl Fn(Message) -> Sending + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            send: Box::new(send),
        }
    }

    /// Its name: part of the delivery's id, so a renamed channel is another channel.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn send(&self, message: Message) -> Result<Sent, Failed> {
        (self.send)(message).await
    }
}

/// The channels that the settings ask for.
///
/// # Errors
/// Says which channel's settings are wrong, and how.
pub fn configured(settings: &Settings) -> Result<Vec<Channel>, InvalidChannel> {
    let webhook = settings
        .webhook
        .as_ref()
        .filter(|webhook| !webhook.url.is_empty());
    let channels = [webhook.map(webhook::channel)];
    channels.into_iter().flatten().collect()
}
