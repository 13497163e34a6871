//! What the end-to-end tests have in common: the real command as a child process, real servers, and
//! a webhook receiver that checks signatures with the public library.
//!
//! Nothing here sleeps to let something happen: every wait is for an event or a condition, with an
//! end after which the test fails and says what it had waited for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests"
)]

pub mod browser;
pub mod console;
pub mod lab;
mod listener;
mod portwatch;
mod receiver;
pub mod roxy_wi;
mod servers;
mod skipped;

use std::future::Future;
use std::time::{Duration, Instant};

pub use listener::{Listener, free_port};
pub use portwatch::Portwatch;
pub use receiver::{Receiver, SECRET};
pub use servers::{Servers, restart_broker};
pub use skipped::skip;

/// The longest that a test waits for one thing.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Asks again and again until the answer is `Some`.
pub async fn until<T, F, Fut>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "waited {PATIENCE:?} for {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
