//! Keeps a session up: opens it, lets it be used, and when it breaks opens the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{describe_gauge, gauge};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::session::{Endpoint, Session};
use super::topology::Topology;
use crate::BusError;
use crate::backoff::Backoff;

/// A session that held this long was a good one: the next is tried without waiting long.
const STEADY: Duration = Duration::from_secs(10);

/// The gauge of each connection, labelled with its role.
const CONNECTED: &str = "portwatch_bus_connected";

/// How it stands with a session.
#[derive(Clone)]
pub(super) enum Status {
    /// There is none, for this reason.
    Down(BusError),
    /// Connected, and everything is declared.
    Up(Arc<Session>),
    /// There will be none any more.
    Closed,
}

impl Status {
    /// Fails unless the session is up.
    pub(super) fn check(&self) -> Result<(), BusError> {
        match self {
            Self::Down(error) => Err(error.clone()),
            Self::Up(session) if session.is_up() => Ok(()),
            Self::Up(session) => Err(BusError::Disconnected {
                broker: session.bounded.broker.to_string(),
                why: "the connection has just broken".to_owned(),
            }),
            Self::Closed => Err(BusError::Closed),
        }
    }
}

/// Makes sessions for one purpose.
#[derive(Clone)]
pub(super) struct Keeper {
    pub endpoint: Endpoint,
    pub topology: Topology,
    /// What the sessions are for: part of the connections' names, and the gauge's label.
    pub role: String,
    pub stop: CancellationToken,
}

impl Keeper {
    /// The status before the first attempt.
    pub(super) fn not_yet(&self) -> Status {
        Status::Down(self.down("connecting".to_owned()))
    }

    fn down(&self, why: String) -> BusError {
        BusError::Disconnected {
            broker: self.endpoint.bounded.broker.to_string(),
            why,
        }
    }

    /// Runs until it is stopped. `serve` uses a session until it breaks, and says why it did.
    pub(super) async fn keep<F, Fut>(self, status: watch::Sender<Status>, mut serve: F)
    where
        F: FnMut(Arc<Session>) -> Fut,
        Fut: Future<Output = String>,
    {
        let help = "1 while the connection to the broker is up and its queues are declared.";
        describe_gauge!(CONNECTED, help);
        let mut backoff = Backoff::new();
        let until_stopped = async {
            loop {
                let opened = Session::open(&self.endpoint, &self.topology, &self.role).await;
                let why = match opened {
                    Ok(session) => {
                        let session = Arc::new(session);
                        let since = Instant::now();
                        self.tell(&status, Status::Up(Arc::clone(&session)));
                        let why = serve(Arc::clone(&session)).await;
                        let why = self.down(why);
                        self.tell(&status, Status::Down(why.clone()));
                        session.close().await;
                        if since.elapsed() >= STEADY {
                            backoff = Backoff::new();
                        }
                        why
                    }
                    Err(error) => {
                        self.tell(&status, Status::Down(error.clone()));
                        error
                    }
                };
                let wait = backoff.wait();
                tracing::warn!(role = self.role, again_in = ?wait, "{why}");
                tokio::time::sleep(wait).await;
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = until_stopped => {}
        }
        let last = status.send_replace(Status::Closed);
        self.show(false);
        if let Status::Up(session) = last {
            session.close().await;
        }
    }

    fn tell(&self, status: &watch::Sender<Status>, now: Status) {
        let is_up = matches!(now, Status::Up(_));
        status.send_replace(now);
        self.show(is_up);
        if is_up {
            let broker = &self.endpoint.bounded.broker;
            tracing::info!(role = self.role, %broker, "connected");
        }
    }

    fn show(&self, is_up: bool) {
        let value = if is_up { 1.0 } else { 0.0 };
        gauge!(CONNECTED, "connection" => self.role.clone()).set(value);
    }
}
