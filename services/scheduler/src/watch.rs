//! The watcher watches itself: zones that nobody works for, and targets that are not scanned.

use std::collections::HashSet;

use jiff::Timestamp;
use portwatch_domain::change::Transition;
use portwatch_domain::job::attended::{Attendance, judge};
use portwatch_domain::target::Zone;
use portwatch_schemas::EncodeError;
use portwatch_store::watch::{Lateness, Notice};
use portwatch_store::{Store, StoreError};
use tokio::sync::Notify;

use crate::changes;
use crate::housekeeping::gauge;

/// How many targets are read at once.
const BATCH: u32 = 500;

/// Why something could not be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("encoding a change: {0}")]
    Encode(#[from] EncodeError),
}

/// Looks once, and tells what changed.
pub(crate) async fn look(store: &Store, wake: &Notify, now: Timestamp) -> Result<(), WatchError> {
    let (zones, unattended) = zones(store, now).await?;
    let targets = targets(store, &unattended, now).await?;
    gauge("portwatch_target_overdue", store.overdue_targets().await?);
    if zones + targets > 0 {
        wake.notify_one();
    }
    Ok(())
}

/// How many zones were told of, and which nobody works for.
async fn zones(store: &Store, now: Timestamp) -> Result<(u64, HashSet<Zone>), WatchError> {
    let installation = store.installation().await?;
    let (mut told, mut unattended) = (0, HashSet::new());
    for state in store.zones().await? {
        let mut is_unattended = state.work.unattended_since.is_some();
        if let Some(judged) = judge(state.work) {
            is_unattended = judged == Attendance::Unattended;
            let transition = Transition::Unattended {
                begins: is_unattended,
            };
            let number = state.changes + 1;
            let (change, message) =
                changes::of_zone(installation, &state.zone, number, transition, now)?;
            let since = is_unattended.then_some(now);
            let notice = Notice { change, message };
            let is_ours = store
                .mark_zone(&state.zone, state.changes, since, notice, now)
                .await?;
            if is_ours {
                told += 1;
                tracing::warn!(zone = %state.zone, unattended = is_unattended, "who does the zone's jobs");
            }
        }
        let value = f64::from(u8::from(is_unattended));
        metrics::gauge!("portwatch_zone_unattended", "zone" => state.zone.to_string()).set(value);
        if is_unattended {
            unattended.insert(state.zone);
        }
    }
    Ok((told, unattended))
}

async fn targets(
    store: &Store,
    unattended: &HashSet<Zone>,
    now: Timestamp,
) -> Result<u64, WatchError> {
    let mut told = 0;
    loop {
        let late = store.lateness(now, BATCH).await?;
        let found = late.len();
        for late in late {
            let is_told = !unattended.contains(&late.target.zone);
            told += u64::from(mark(store, late, is_told, now).await?);
        }
        if found < BATCH as usize {
            return Ok(told);
        }
    }
}

/// Marks one target, and tells it if it is news. Where nobody works for a zone, that is told once, and not of each of
/// its targets as well.
async fn mark(
    store: &Store,
    late: Lateness,
    is_attended: bool,
    now: Timestamp,
) -> Result<bool, WatchError> {
    let Lateness {
        target,
        scanned_at,
        overdue_since,
        told,
        changes,
    } = late;
    let begins = overdue_since.is_none();
    let was_scanned = overdue_since
        .filter(|_| told)
        .zip(scanned_at)
        .is_some_and(|(since, scanned)| scanned >= since);
    // One that is no longer watched is not overdue any more, and was not scanned either.
    let notice = if (begins && is_attended) || was_scanned {
        let transition = Transition::Overdue { begins, scanned_at };
        let (change, message) = changes::of_target(&target, changes + 1, transition, now)?;
        Some(Notice { change, message })
    } else {
        None
    };
    let is_told = notice.is_some();
    let since = begins.then_some(now);
    let is_ours = store
        .mark_target(target.id, changes, since, notice, now)
        .await?;
    if is_ours && begins {
        tracing::warn!(target = target.name, "not scanned for three intervals");
    }
    Ok(is_ours && is_told)
}
