//! A webhook receiver that checks what it gets as a careful receiver would.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::PATIENCE;

/// The secret that the receiver and Portwatch share.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A receiver on a port of its own.
pub struct Receiver {
    address: SocketAddr,
    changes: mpsc::UnboundedReceiver<Value>,
    shared: Arc<Shared>,
}

struct Shared {
    secret: String,
    changes: mpsc::UnboundedSender<Value>,
    seen: Mutex<HashSet<String>>,
    refuse: Mutex<u32>,
}

impl Receiver {
    /// Starts a receiver that expects [`SECRET`].
    pub async fn start() -> Self {
        Self::with_secret(SECRET).await
    }

    /// Starts a receiver that expects this secret.
    pub async fn with_secret(secret: &str) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, changes) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            secret: secret.to_owned(),
            changes: sender,
            seen: Mutex::default(),
            refuse: Mutex::default(),
        });
        let app = Router::new()
            .route("/hook", post(receive))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            changes,
            shared,
        }
    }

    /// Where to post.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers the next `count` requests with 503.
    pub fn refuse(&self, count: u32) {
        *self.shared.refuse.lock().unwrap() = count;
    }

    /// The next change that is told.
    pub async fn change(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.changes.recv())
            .await
            .unwrap_or_else(|_| panic!("no change was told within {PATIENCE:?}"))
            .unwrap()
    }

    /// The next change, which must be this one.
    pub async fn expect(&mut self, kind: &str, port: u16) -> Value {
        let change = self.change().await;
        let told = (
            change["kind"].as_str().unwrap(),
            change["port"].as_u64().unwrap(),
        );
        assert_eq!(told, (kind, port.into()), "told: {change:#}");
        change
    }

    /// What was told and not looked at yet.
    pub async fn rest(&mut self, within: Duration) -> Vec<Value> {
        let mut rest = Vec::new();
        while let Ok(Some(change)) = tokio::time::timeout(within, self.changes.recv()).await {
            rest.push(change);
        }
        rest
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    {
        let mut refuse = shared.refuse.lock().unwrap();
        if *refuse > 0 {
            *refuse -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
    }
    let verifier = standardwebhooks::Webhook::new(&shared.secret).unwrap();
    if let Err(error) = verifier.verify(&body, &headers) {
        eprintln!("a webhook with a bad signature: {error}");
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    if !shared.seen.lock().unwrap().insert(id) {
        return StatusCode::OK;
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    for change in body["changes"].as_array().unwrap() {
        shared.changes.send(change.clone()).unwrap();
    }
    StatusCode::OK
}
