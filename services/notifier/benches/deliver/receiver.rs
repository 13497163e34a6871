//! A receiver on a thread of its own, which takes everything and notes when.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use uuid::Uuid;

pub struct Receiver {
    port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    taken: AtomicU64,
    times: Mutex<HashMap<Uuid, Instant>>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let app = Router::new()
            .route("/", post(take))
            .with_state(Arc::clone(&seen));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { port, seen }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// How many different deliveries were taken since it last forgot.
    pub fn taken(&self) -> u64 {
        self.seen.taken.load(Ordering::Relaxed)
    }

    pub fn forget(&self) {
        self.seen.times.lock().unwrap().clear();
        self.seen.taken.store(0, Ordering::Relaxed);
    }

    /// When each delivery came.
    pub fn times(&self) -> HashMap<Uuid, Instant> {
        self.seen.times.lock().unwrap().clone()
    }
}

/// What comes from `wrk` has no id.
async fn take(State(seen): State<Arc<Seen>>, headers: HeaderMap, _: Bytes) -> StatusCode {
    let id = headers
        .get("webhook-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    if let Some(id) = id {
        seen.times.lock().unwrap().insert(id, Instant::now());
        seen.taken.fetch_add(1, Ordering::Relaxed);
    }
    StatusCode::NO_CONTENT
}
