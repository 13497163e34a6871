//! Waiting for a database that is away.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::StoreError;

/// The first pause, doubled after each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Makes a call until it ends in anything but [`StoreError::Unavailable`], or until the token is
/// cancelled; then the last error is returned.
///
/// A message whose handler waits here stays with its broker. It is no fault of the message that
/// the database is away, so no attempt is counted.
///
/// # Errors
/// What the call ended in.
pub async fn retry_while_unavailable<T, F, Fut>(
    doing: &'static str,
    shutdown: &CancellationToken,
    mut call: F,
) -> Result<T, StoreError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, StoreError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match call().await {
            Err(error) if error.is_temporary() => error,
            ended => return ended,
        };
        if pause == FIRST_PAUSE {
            tracing::warn!(doing, %error, "waiting for the database");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return Err(error),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
