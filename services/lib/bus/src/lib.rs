//! How messages travel: over RabbitMQ between processes, or through memory inside one.
//!
//! Both buses deliver at least once, in the same order of priority, with the same retries and the
//! same dead letters; one conformance suite holds both to it. A service opens one of them
//! ([`rabbit::connect`] or [`in_process::new`]), publishes through [`Broker::publish`], and
//! consumes through [`Consumer`], where acknowledging, retrying and dead-lettering are written
//! once.

mod backoff;
mod broker;
#[cfg(test)]
mod conformance;
mod consume;
mod dead;
mod delivery;
mod error;
pub mod in_process;
pub mod rabbit;
mod retry;
mod route;

pub use broker::{Broker, Bus, Subscription, publish_by_key};
pub use consume::{Consumer, HandlerError, Received};
pub use dead::DeadLetter;
pub use delivery::Delivery;
pub use error::{BusError, PublishError};
pub use retry::{MAX_ATTEMPTS, RetryDelays, RetryStep};
pub use route::{Route, RouteError, snapshot_shard};
