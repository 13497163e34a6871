//! How far jobs are: told by workers, kept with the job, read by those who wait.

use portwatch_bus::{HandlerError, Received};
use portwatch_domain::job::progress::Progress;
use portwatch_store::Store;
use portwatch_store::jobs::JobProgress;

/// Takes note of one report.
pub(crate) async fn note(store: &Store, received: Received<Progress>) -> Result<(), HandlerError> {
    let Progress {
        job,
        sent,
        planned,
        answered,
        open,
        ..
    } = received.message;
    let progress = JobProgress {
        sent,
        planned,
        answered,
        open,
    };
    let noted = store.note_progress(vec![(job, progress)]).await;
    noted.map_err(|error| HandlerError::Retry(error.to_string()))
}
