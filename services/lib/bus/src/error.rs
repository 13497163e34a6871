//! What can go wrong between a service and the bus.

use std::time::Duration;

/// Why the bus cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    /// The broker's URL cannot be understood. Never quotes the URL, which holds a password.
    #[error(
        "the broker's URL is wrong: {0}; write amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS"
    )]
    Url(String),
    /// There is no connection at the moment; a new one is being tried.
    #[error("no connection to the broker at {broker}: {why}")]
    Disconnected {
        /// Host, port and virtual host.
        broker: String,
        /// What the last attempt said.
        why: String,
    },
    /// The broker did not answer in time.
    #[error("{what}: the broker at {broker} did not answer within {after:?}")]
    Timeout {
        /// What was tried.
        what: String,
        /// Host, port and virtual host.
        broker: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The broker answered with an error.
    #[error("{what}: the broker at {broker} says: {why}")]
    Refused {
        /// What was tried.
        what: String,
        /// Host, port and virtual host.
        broker: String,
        /// The broker's words.
        why: String,
    },
    /// A message could not be sent.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A subscription to nothing, or of nothing at a time.
    #[error("a subscription needs at least one route and a prefetch of at least 1")]
    EmptySubscription,
    /// [`close`](crate::Broker::close) was called.
    #[error("the bus is closed")]
    Closed,
}

/// Why a message was not accepted. It may be published again under the same id.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PublishError {
    /// No consumer would take it.
    #[error("publishing to {route}: {bytes} bytes are over the limit of {limit}")]
    TooLarge {
        /// Where to.
        route: String,
        /// Its size.
        bytes: usize,
        /// The most it may have.
        limit: usize,
    },
    /// The bus refused it: the queue is full.
    #[error("publishing to {route}: refused, the queue is full")]
    Nacked {
        /// Where to.
        route: String,
    },
    /// No confirm came; the message may have arrived or not.
    #[error("publishing to {route}: not confirmed within {after:?}")]
    Timeout {
        /// Where to.
        route: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The broker has stopped taking messages because it is short of memory or disk.
    #[error("publishing to {route}: the broker is short of memory or disk and takes no messages")]
    Blocked {
        /// Where to.
        route: String,
    },
    /// There is no connection, or it broke before the confirm; the message may have arrived or not.
    #[error("publishing to {route}: {why}")]
    Disconnected {
        /// Where to.
        route: String,
        /// What is known of the connection.
        why: String,
    },
    /// The routing key is none.
    #[error("publishing: {0}")]
    Route(#[from] crate::RouteError),
    /// [`close`](crate::Broker::close) was called.
    #[error("publishing to {route}: the bus is closed")]
    Closed {
        /// Where to.
        route: String,
    },
}
