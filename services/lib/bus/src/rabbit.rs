//! The bus over RabbitMQ, 3.10 and later, 4.x included.
//!
//! Publishing has a connection of its own, and so has every subscription: a broker that holds
//! back publishers must not hold back acknowledgements. A connection, its channel and all that is
//! declared on it live and die together; after any failure the next is made by us, with backoff.

mod graveyard;
mod headers;
mod inbox;
mod keeper;
mod publisher;
mod session;
mod settle;
mod subscription;
#[cfg(test)]
pub(crate) mod tests;
mod topology;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use portwatch_domain::target::Zone;
use portwatch_schemas::MAX_MESSAGE_BYTES;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{Broker, Bus, BusError, DeadLetter, PublishError, RetryDelays, Route, Subscription};
use graveyard::Graveyard;
use inbox::Inbox;
use keeper::{Keeper, Status};
use publisher::{Parcel, Publisher};
use session::{Endpoint, Session};
use subscription::{Intake, RabbitSubscription};
use topology::Topology;

/// How to reach the broker, and what to declare there.
#[derive(Clone)]
pub struct RabbitSettings {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or `amqps://` for TLS, with the machine's own
    /// certificate authorities. A virtual host `/` is written `%2f`.
    pub url: String,
    /// Who this is, for the broker's list of connections.
    pub name: String,
    /// How many snapshot queues there are; the same for every service.
    pub snapshot_shards: u16,
    /// The zones whose job queues are declared at once. Others are when a job is published to
    /// them.
    pub zones: Vec<Zone>,
    /// How long any answer of the broker is waited for, confirms included.
    pub confirm_timeout: Duration,
    /// The waits between attempts; the same for every service of a virtual host, whose queues
    /// are made with them.
    pub retry_delays: RetryDelays,
}

impl Default for RabbitSettings {
    fn default() -> Self {
        Self {
            url: "amqp://localhost:5672/%2f".to_owned(),
            name: "portwatch".to_owned(),
            snapshot_shards: 4,
            zones: vec![Zone::default()],
            confirm_timeout: Duration::from_secs(5),
            retry_delays: RetryDelays::default(),
        }
    }
}

impl fmt::Debug for RabbitSettings {
    /// Without the URL, which holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitSettings")
            .field("name", &self.name)
            .field("snapshot_shards", &self.snapshot_shards)
            .field("zones", &self.zones)
            .field("confirm_timeout", &self.confirm_timeout)
            .field("retry_delays", &self.retry_delays)
            .finish_non_exhaustive()
    }
}

/// A bus over RabbitMQ. Returns at once and connects in the background, for as long as it takes;
/// [`Broker::check`] tells how it stands.
///
/// # Errors
/// If the URL cannot be understood.
#[cfg_attr(
    not(test),
    expect(
        clippy::unused_async,
        reason = "asynchronous, so that it is called where there is a runtime to connect in"
    )
)]
pub async fn connect(settings: RabbitSettings) -> Result<Bus, BusError> {
    Ok(Arc::new(Rabbit::new(settings)?))
}

pub(crate) struct Rabbit {
    keeper: Keeper,
    publisher: Arc<Publisher>,
    /// How it stands with each subscription that still exists.
    subscriptions: Mutex<Vec<watch::Receiver<Status>>>,
    tasks: TaskTracker,
    /// Ends all sessions when the bus and the last subscription are dropped.
    alive: Arc<DropGuard>,
}

impl Rabbit {
    pub(crate) fn new(settings: RabbitSettings) -> Result<Self, BusError> {
        let limit = settings.confirm_timeout;
        let keeper = Keeper {
            endpoint: Endpoint::new(&settings.url, settings.name, limit)?,
            topology: Topology {
                snapshot_shards: settings.snapshot_shards.max(1),
                zones: settings.zones,
                retry_delays: settings.retry_delays,
            },
            role: "publisher".to_owned(),
            stop: CancellationToken::new(),
        };
        let tasks = TaskTracker::new();
        let (tell, status) = watch::channel(keeper.not_yet());
        tasks.spawn(
            keeper
                .clone()
                .keep(tell, |session| async move { session.broken().await }),
        );
        Ok(Self {
            alive: Arc::new(keeper.stop.clone().drop_guard()),
            keeper,
            publisher: Arc::new(Publisher::new(status, limit)),
            subscriptions: Mutex::default(),
            tasks,
        })
    }

    /// Starts a subscription.
    fn intake(&self, routes: &[Route], prefetch: u16) -> Result<RabbitSubscription, BusError> {
        let first = routes.first().filter(|_| prefetch > 0);
        let role = match first {
            Some(route) => format!("consumer of {route}"),
            None => return Err(BusError::EmptySubscription),
        };
        let ranks = Route::ranks(routes);
        let intake = Arc::new(Intake {
            inbox: Inbox::new(&ranks),
            routes: routes.iter().cloned().zip(ranks).collect(),
            prefetch,
            publisher: Arc::clone(&self.publisher),
            stopped: CancellationToken::new(),
        });
        let mut keeper = self.keeper.clone();
        keeper.role = role;
        keeper.stop = self.keeper.stop.child_token();
        keeper.topology.also_zones_of(routes);
        let ended = keeper.stop.clone().drop_guard();
        let (tell, status) = watch::channel(keeper.not_yet());
        self.remember(status);
        let served = Arc::clone(&intake);
        self.tasks.spawn(async move {
            let intake = Arc::clone(&served);
            keeper
                .keep(tell, |session| Arc::clone(&served).serve(session))
                .await;
            intake.inbox.close();
        });
        Ok(RabbitSubscription {
            intake,
            _session: ended,
            _bus: Arc::clone(&self.alive),
        })
    }

    fn remember(&self, status: watch::Receiver<Status>) {
        let mut subscriptions = self
            .subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscriptions.retain(|status| !matches!(*status.borrow(), Status::Closed));
        subscriptions.push(status);
    }

    /// The session of the publisher, if it is up.
    fn session(&self) -> Result<Arc<Session>, BusError> {
        let status = self.publisher.status.borrow().clone();
        status.check()?;
        match status {
            Status::Up(session) => Ok(session),
            Status::Down(error) => Err(error),
            Status::Closed => Err(BusError::Closed),
        }
    }
}

#[async_trait]
impl Broker for Rabbit {
    async fn publish(&self, route: &Route, id: Uuid, body: Vec<u8>) -> Result<(), PublishError> {
        let key = route.to_string();
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(PublishError::TooLarge {
                route: key,
                bytes: body.len(),
                limit: MAX_MESSAGE_BYTES,
            });
        }
        let parcel = Parcel {
            exchange: topology::exchange_of(route),
            key: &key,
            zone: route.zone(),
            properties: headers::new(Some(id)),
            body: &body,
        };
        self.publisher.send(&parcel).await
    }

    async fn subscribe(
        &self,
        routes: &[Route],
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BusError> {
        Ok(Box::new(self.intake(routes, prefetch)?))
    }

    async fn check(&self) -> Result<(), BusError> {
        self.publisher.status.borrow().check()?;
        let subscriptions = self
            .subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for status in &*subscriptions {
            let status = status.borrow();
            // A closed one was given up by its owner.
            if !matches!(*status, Status::Closed) {
                status.check()?;
            }
        }
        Ok(())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        let session = self.session()?;
        let graveyard = Graveyard::enter(&session, &self.publisher).await?;
        graveyard.look(limit).await
    }

    async fn resend_dead(&self, id: Uuid) -> Result<bool, BusError> {
        let session = self.session()?;
        let graveyard = Graveyard::enter(&session, &self.publisher).await?;
        graveyard.resend(id).await
    }

    async fn close(&self) {
        self.keeper.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
