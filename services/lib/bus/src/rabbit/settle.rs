//! Lets go of a delivery: the message goes on, confirmed, before it is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions};

use super::headers;
use super::publisher::{Parcel, Publisher};
use super::topology;
use crate::PublishError;
use crate::backoff::Backoff;
use crate::delivery::{Letter, Outcome, Settle};

/// The hold on one delivery. Dropped before it is used, it hands the message back.
pub(super) struct Hold {
    pub acker: Acker,
    pub publisher: Arc<Publisher>,
    /// How long an acknowledgement may take.
    pub limit: Duration,
}

impl Hold {
    /// Acknowledges. On a connection that is gone this does nothing, and the broker delivers the
    /// message again.
    async fn ack(&self) {
        let ack = self.acker.ack(BasicAckOptions::default());
        if !matches!(tokio::time::timeout(self.limit, ack).await, Ok(Ok(true))) {
            tracing::debug!("the connection broke before the ack; the message comes again");
        }
    }

    /// Sends the message on until it is confirmed; false if that is no longer ours to do.
    async fn forward(&self, parcel: &Parcel<'_>) -> bool {
        let mut backoff = Backoff::new();
        while self.acker.usable() {
            match self.publisher.send(parcel).await {
                Ok(()) => return true,
                Err(PublishError::Closed { .. }) => return false,
                Err(error) => {
                    let exchange = parcel.exchange;
                    tracing::warn!(exchange, "sending a message on, will try again: {error}");
                    tokio::time::sleep(backoff.wait()).await;
                }
            }
        }
        false
    }
}

#[async_trait]
impl Settle for Hold {
    async fn settle(self: Box<Self>, letter: Letter, outcome: Outcome) {
        let (exchange, properties) = match outcome {
            Outcome::Ack => return self.ack().await,
            Outcome::HandBack => {
                let _ = tokio::time::timeout(self.limit, requeue(&self.acker)).await;
                return;
            }
            Outcome::Retry { reason, step } => {
                (topology::retry(step), headers::retried(&letter, &reason))
            }
            Outcome::Dead { reason } => (topology::DEAD, headers::dead(&letter, &reason)),
        };
        let parcel = Parcel {
            exchange,
            key: &letter.route.to_string(),
            zone: None,
            properties,
            body: &letter.body,
        };
        if self.forward(&parcel).await {
            self.ack().await;
        }
    }

    fn abandon(self: Box<Self>, _: Letter) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.acker.usable() {
            return;
        }
        // Without a runtime the process is ending, and the broker takes everything back.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (acker, limit) = (self.acker.clone(), self.limit);
            runtime.spawn(async move { tokio::time::timeout(limit, requeue(&acker)).await });
        }
    }
}

async fn requeue(acker: &Acker) {
    let options = BasicNackOptions {
        requeue: true,
        ..BasicNackOptions::default()
    };
    // Fails only on a connection that is gone, and then it is requeued anyway.
    let _ = acker.nack(options).await;
}
