//! One message in a consumer's hands, and the four ways to let go of it.

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{RetryStep, Route};

/// What is to become of a delivery.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Done.
    Ack,
    /// Again after a wait.
    Retry { reason: String, step: RetryStep },
    /// Not again.
    Dead { reason: String },
    /// Somebody else may have it, at once.
    HandBack,
}

/// The message itself, for a bus that has to send it on.
#[derive(Debug)]
pub(crate) struct Letter {
    pub route: Route,
    pub id: Option<Uuid>,
    pub body: Vec<u8>,
    pub attempt: u32,
}

/// A bus's side of a delivery.
#[async_trait]
pub(crate) trait Settle: Send + Sync {
    /// Does it. Where the connection that brought the message is gone, nothing is left to do: the
    /// broker delivers it again.
    async fn settle(self: Box<Self>, letter: Letter, outcome: Outcome);

    /// Hands the message back from a place that cannot wait.
    fn abandon(self: Box<Self>, letter: Letter);
}

/// A message in hand. Settle it with [`ack`](Self::ack), [`retry`](Self::retry),
/// [`dead`](Self::dead) or [`hand_back`](Self::hand_back); dropped, it is handed back.
pub struct Delivery {
    /// Where it came from.
    pub route: Route,
    /// Its id, if it was published with one.
    pub id: Option<Uuid>,
    /// What was published.
    pub body: Vec<u8>,
    /// Which attempt this is, from 1. A redelivery after a crash is not a new attempt.
    pub attempt: u32,
    settle: Option<Box<dyn Settle>>,
}

impl Delivery {
    pub(crate) fn new(letter: Letter, settle: Box<dyn Settle>) -> Self {
        let Letter {
            route,
            id,
            body,
            attempt,
        } = letter;
        Self {
            route,
            id,
            body,
            attempt,
            settle: Some(settle),
        }
    }

    /// It is done: its effect is durable.
    pub async fn ack(self) {
        self.settle(Outcome::Ack).await;
    }

    /// It failed, and is tried again after a wait, as the next attempt; or dropped, if its route is one of
    /// those that drop.
    pub async fn retry(self, reason: impl Into<String> + Send, step: RetryStep) {
        let reason = tidy(&reason.into());
        self.settle(Outcome::Retry { reason, step }).await;
    }

    /// It cannot be handled: it goes to the dead queue, with the reason; or is dropped, if its route is one of
    /// those that drop.
    pub async fn dead(self, reason: impl Into<String> + Send) {
        let reason = tidy(&reason.into());
        if !self.route.is_fleeting() {
            tracing::error!(
                route = %self.route,
                id = self.id.map(tracing::field::display),
                attempt = self.attempt,
                reason,
                "message is dead"
            );
        }
        self.settle(Outcome::Dead { reason }).await;
    }

    /// It goes back to its queue at once, and counts as not tried.
    pub async fn hand_back(self) {
        self.settle(Outcome::HandBack).await;
    }

    async fn settle(mut self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Retry { reason, .. } | Outcome::Dead { reason }
                if self.route.is_fleeting() =>
            {
                tracing::debug!(route = %self.route, reason, "message is dropped");
                Outcome::Ack
            }
            other => other,
        };
        if let Some(settle) = self.settle.take() {
            settle.settle(self.take_letter(), outcome).await;
        }
    }

    fn take_letter(&mut self) -> Letter {
        Letter {
            route: self.route.clone(),
            id: self.id,
            body: std::mem::take(&mut self.body),
            attempt: self.attempt,
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle.abandon(self.take_letter());
        }
    }
}

/// The most characters of a reason: it travels in a header, and may quote what a stranger sent.
const MAX_REASON: usize = 1000;

/// One line of printable characters, cut to [`MAX_REASON`].
fn tidy(reason: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut tidied: String = reason.chars().take(MAX_REASON).map(printable).collect();
    if tidied.len() < reason.len() {
        tidied.push('…');
    }
    tidied
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("route", &self.route)
            .field("id", &self.id)
            .field("bytes", &self.body.len())
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
