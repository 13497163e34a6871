//! The seam between the services and whatever carries their messages.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{BusError, DeadLetter, Delivery, PublishError, Route};

/// A bus, shared by everything in the process.
pub type Bus = Arc<dyn Broker>;

/// What carries messages.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Sends a message, and returns when it is safe: RabbitMQ has confirmed it, or, in one
    /// process, it was handled or dead-lettered. After an error the message may still arrive.
    async fn publish(&self, route: &Route, id: Uuid, body: Vec<u8>) -> Result<(), PublishError>;

    /// Takes messages of these routes, at most `prefetch` of each route unsettled at a time.
    /// Earlier kinds of route are served before later ones; routes of one kind (two shards, two
    /// zones' high queues) take turns.
    async fn subscribe(
        &self,
        routes: &[Route],
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BusError>;

    /// Ready: every connection is up and what it needs is declared.
    async fn check(&self) -> Result<(), BusError>;

    /// The oldest dead letters, at most `limit`; they stay where they are.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError>;

    /// Sends a dead letter on its way again, as if it were new; false if there is none with this
    /// id.
    async fn resend_dead(&self, id: Uuid) -> Result<bool, BusError>;

    /// Ends every connection. Subscriptions end with [`BusError::Closed`], and what was not
    /// settled goes back to its queue.
    async fn close(&self);
}

/// Publishes to a routing key that was stored as text, as an outbox has it.
///
/// # Errors
/// If the key is none, or as [`Broker::publish`].
pub async fn publish_by_key(
    bus: &Bus,
    key: &str,
    id: Uuid,
    body: Vec<u8>,
) -> Result<(), PublishError> {
    bus.publish(&key.parse()?, id, body).await
}

/// A stream of messages. Dropping it hands back what was not settled.
#[async_trait]
pub trait Subscription: Send {
    /// The next message; waits for one, also through reconnects. May be dropped while it waits
    /// without losing a message.
    async fn next(&mut self) -> Result<Delivery, BusError>;

    /// Takes no more messages, and hands back those fetched but not yet given out. Deliveries in
    /// hand can still be settled.
    async fn stop(&mut self);
}
