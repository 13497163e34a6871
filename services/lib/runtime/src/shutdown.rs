//! An orderly end: SIGTERM and SIGINT ask for it, a second signal insists.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that a second signal ended before it was done.
const INSISTED: i32 = 130;

/// A token that is cancelled at the first SIGTERM or SIGINT. At the second one the process exits
/// at once: everything is built to survive that, it only makes others wait for a lease.
///
/// # Errors
/// If the signal handlers cannot be installed.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let asked = token.clone();
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if round > 0 {
                std::process::exit(INSISTED);
            }
            tracing::info!("stopping: finishing what is in hand");
            asked.cancel();
        }
    });
    Ok(token)
}
