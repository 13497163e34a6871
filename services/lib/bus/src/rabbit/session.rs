//! One connection with one channel, and everything declared on it; when either breaks, both go.

mod connect;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::ConfirmSelectOptions;
use lapin::types::ReplyCode;
use lapin::{Channel, Connection, Event};
use portwatch_domain::target::Zone;
use tokio::sync::Notify;

use super::topology::{self, Topology};
use crate::BusError;
pub(super) use connect::Endpoint;
use connect::Socket;

/// The AMQP reply code of an ordinary end.
const REPLY_SUCCESS: ReplyCode = 200;

/// How long the broker may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// How often the state of the connection is looked at. Its end is nearly always announced; an
/// orderly close by the broker is not.
const LOOK: Duration = Duration::from_secs(1);

/// Calls that end in time, and say what was tried.
#[derive(Clone, Debug)]
pub(super) struct Bounded {
    /// Host, port and virtual host.
    pub broker: Arc<str>,
    /// How long a call may take.
    pub limit: Duration,
}

impl Bounded {
    pub(super) async fn call<T, W: fmt::Display>(
        &self,
        what: impl FnOnce() -> W,
        call: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, BusError> {
        match tokio::time::timeout(self.limit, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(BusError::Refused {
                what: what().to_string(),
                broker: self.broker.to_string(),
                why: error.to_string(),
            }),
            Err(_) => Err(BusError::Timeout {
                what: what().to_string(),
                broker: self.broker.to_string(),
                after: self.limit,
            }),
        }
    }
}

/// A connection, its channel, and what is known to be declared.
pub(super) struct Session {
    pub connection: Connection,
    pub channel: Channel,
    pub bounded: Bounded,
    /// Shut with the session, whatever the library still holds.
    _socket: Socket,
    zones: tokio::sync::Mutex<HashSet<Zone>>,
    given_up: OnceLock<String>,
    given_up_told: Notify,
    last_confirm: Mutex<Instant>,
}

impl Session {
    /// Connects, opens the channel, and declares the topology. `role` is part of the connection's
    /// name at the broker.
    pub(super) async fn open(
        endpoint: &Endpoint,
        topology: &Topology,
        role: &str,
    ) -> Result<Self, BusError> {
        let bounded = endpoint.bounded.clone();
        let (connection, socket) = endpoint.connect(role).await?;
        let channel = bounded
            .call(|| "opening a channel", connection.create_channel())
            .await?;
        topology.declare(&channel, &bounded).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        bounded.call(|| "asking for confirms", confirms).await?;
        Ok(Self {
            connection,
            channel,
            bounded,
            _socket: socket,
            zones: tokio::sync::Mutex::new(topology.zones.iter().cloned().collect()),
            given_up: OnceLock::new(),
            given_up_told: Notify::new(),
            last_confirm: Mutex::new(Instant::now()),
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected()
            && self.channel.status().connected()
            && self.given_up.get().is_none()
    }

    /// Declares a zone's queues, if that was not done on this connection.
    pub(super) async fn ensure_zone(&self, zone: &Zone) -> Result<(), BusError> {
        let mut zones = self.zones.lock().await;
        if zones.contains(zone) {
            return Ok(());
        }
        // On a channel of its own: what goes wrong must not take the publishes with it.
        let channel = self.side_channel().await?;
        topology::declare_zone(zone, &channel, &self.bounded).await?;
        zones.insert(zone.clone());
        Ok(())
    }

    /// A channel for something short, closed when it is dropped.
    pub(super) async fn side_channel(&self) -> Result<Channel, BusError> {
        let opened = self.connection.create_channel();
        self.bounded.call(|| "opening a channel", opened).await
    }

    /// Notes that the broker confirms.
    pub(super) fn confirmed(&self) {
        *self
            .last_confirm
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Notes that a confirm did not come in time. If none at all came meanwhile, the connection
    /// is not trusted any more.
    pub(super) fn not_confirmed(&self) {
        let last = *self
            .last_confirm
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= self.bounded.limit {
            self.give_up(format!("no confirm within {:?}", self.bounded.limit));
        }
    }

    /// Ends [`broken`](Self::broken).
    fn give_up(&self, why: String) {
        // The first reason stays.
        let _ = self.given_up.set(why);
        self.given_up_told.notify_one();
    }

    /// Waits until the session no longer works, and says why. To be called once.
    pub(super) async fn broken(&self) -> String {
        let mut events = std::pin::pin!(self.connection.events_listener());
        let mut look = tokio::time::interval(LOOK);
        let mut why = None;
        loop {
            tokio::select! {
                event = events.next() => if let Some(Event::Error(error)) = event {
                    why = Some(error.to_string());
                },
                () = self.given_up_told.notified() => {}
                _ = look.tick() => {}
            }
            if !self.is_up() {
                let why = self.given_up.get().cloned().or(why);
                return why.unwrap_or_else(|| "the broker closed the connection".to_owned());
            }
        }
    }

    /// Says goodbye if anybody listens. The last user's drop then shuts the socket.
    pub(super) async fn close(&self) {
        if self.is_up() {
            let goodbye = self.connection.close(REPLY_SUCCESS, "bye".into());
            // Too late to do anything about a broker that does not answer.
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        }
    }
}
