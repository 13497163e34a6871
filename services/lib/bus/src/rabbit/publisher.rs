//! Sends messages and waits for the broker's confirms, any number at a time over one channel.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};
use portwatch_domain::target::Zone;
use tokio::sync::watch;
use tokio::time::Instant;

use super::keeper::Status;
use super::session::Session;
use crate::PublishError;

/// How often it is looked whether the broker takes messages again.
const BLOCKED_LOOK: Duration = Duration::from_millis(50);

/// What to send, and where.
pub(super) struct Parcel<'a> {
    pub exchange: &'a str,
    pub key: &'a str,
    /// The zone whose queues must exist.
    pub zone: Option<&'a Zone>,
    pub properties: BasicProperties,
    pub body: &'a [u8],
}

pub(super) struct Publisher {
    pub status: watch::Receiver<Status>,
    /// How long a message may take, from the call to the confirm.
    pub limit: Duration,
    /// Held while a message is handed to the library; see [`hand_over`](Self::hand_over).
    order: Mutex<()>,
}

impl Publisher {
    pub(super) const fn new(status: watch::Receiver<Status>, limit: Duration) -> Self {
        let order = Mutex::new(());
        Self {
            status,
            limit,
            order,
        }
    }

    /// Sends a message and waits for the confirm.
    pub(super) async fn send(&self, parcel: &Parcel<'_>) -> Result<(), PublishError> {
        let deadline = Instant::now() + self.limit;
        let session = self.session(parcel, deadline).await?;
        let confirmed = self.confirmed(&session, parcel);
        match tokio::time::timeout_at(deadline, confirmed).await {
            Ok(outcome) => outcome,
            Err(_) if session.connection.status().blocked() => Err(PublishError::Blocked {
                route: parcel.key.to_owned(),
            }),
            Err(_) => {
                session.not_confirmed();
                Err(PublishError::Timeout {
                    route: parcel.key.to_owned(),
                    after: self.limit,
                })
            }
        }
    }

    /// The session that is up, or comes up in time.
    async fn session(
        &self,
        parcel: &Parcel<'_>,
        deadline: Instant,
    ) -> Result<Arc<Session>, PublishError> {
        let route = || parcel.key.to_owned();
        let mut status = self.status.clone();
        loop {
            match &*status.borrow_and_update() {
                Status::Up(session) if session.is_up() => return Ok(Arc::clone(session)),
                Status::Closed => return Err(PublishError::Closed { route: route() }),
                Status::Up(_) | Status::Down(_) => {}
            }
            let changed = tokio::time::timeout_at(deadline, status.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                let known = status.borrow().check();
                let why = known.err().map(|error| error.to_string());
                return Err(PublishError::Disconnected {
                    route: route(),
                    why: why.unwrap_or_else(|| "the connection has just come up".to_owned()),
                });
            }
        }
    }

    async fn confirmed(&self, session: &Session, parcel: &Parcel<'_>) -> Result<(), PublishError> {
        let broken = |why: String| PublishError::Disconnected {
            route: parcel.key.to_owned(),
            why,
        };
        // What the library cannot write, it keeps in memory; better not to give it any.
        while session.connection.status().blocked() {
            tokio::time::sleep(BLOCKED_LOOK).await;
        }
        if let Some(zone) = parcel.zone {
            let ensured = session.ensure_zone(zone).await;
            ensured.map_err(|error| broken(error.to_string()))?;
        }
        let confirmation = self.hand_over(session, parcel).await;
        match confirmation.map_err(|error| broken(error.to_string()))? {
            Confirmation::Ack(_) => {
                session.confirmed();
                Ok(())
            }
            Confirmation::Nack(_) => {
                session.confirmed();
                Err(PublishError::Nacked {
                    route: parcel.key.to_owned(),
                })
            }
            Confirmation::NotRequested => Err(broken("the channel gives no confirms".to_owned())),
        }
    }

    /// Gives the message to the library, and waits for the broker's answer to it.
    ///
    /// The library numbers a publish and queues its frames under two locks. Publishes from two
    /// threads could pass each other in between, and then each would get the other's confirm; so
    /// one thread at a time is let in.
    async fn hand_over(
        &self,
        session: &Session,
        parcel: &Parcel<'_>,
    ) -> lapin::Result<Confirmation> {
        let mut publish = pin!(session.channel.basic_publish(
            parcel.exchange.into(),
            parcel.key.into(),
            BasicPublishOptions::default(),
            parcel.body,
            parcel.properties.clone(),
        ));
        let confirm = std::future::poll_fn(|context| {
            let _alone = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            publish.as_mut().poll(context)
        })
        .await?;
        confirm.await
    }
}
