//! What changes say to be wrong, and reminders of it until somebody acknowledges it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::{Change, Changes};
use portwatch_domain::notification::condition::{Phase, conditions};
use portwatch_domain::notification::summary::Summary;
use portwatch_domain::notification::{Content, Notification};
use portwatch_schemas::{EncodeError, Meta, TraceParent, decode, encode};
use portwatch_store::notifications::{NewDelivery, NewNotification};
use portwatch_store::problems::{Acknowledgement, Problem, ProblemChange};
use portwatch_store::{Store, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Channel, Deps};

/// The ids of conditions come from their keys under this.
const CONDITIONS: Uuid = Uuid::from_u128(0x6c8b_2d2e_9c0f_4a53_b1a5_70e9_7d3a_51c4);
/// The most problems of one reminder.
const MOST: u32 = 10_000;
/// How often it is looked whether somebody must be reminded.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A problem that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: Uuid,
    /// Since when.
    pub since: Timestamp,
    /// The change that began it.
    pub changes: Changes,
    /// Who has seen it.
    pub acknowledged: Option<Acknowledgement>,
}

/// What is wrong now, the oldest first: at most `limit`.
///
/// # Errors
/// If the store cannot be asked.
pub async fn known(store: &Store, limit: u32) -> Result<Vec<Known>, StoreError> {
    let problems = store.problems(limit).await?;
    Ok(problems.into_iter().filter_map(read).collect())
}

/// One that a newer version noted may not be understood: that is logged.
fn read(problem: Problem) -> Option<Known> {
    match decode::<Notification>(&problem.body) {
        Ok((_, notification)) => Some(Known {
            id: problem.id,
            since: problem.since,
            changes: notification.changes,
            acknowledged: problem.acknowledged,
        }),
        Err(error) => {
            tracing::error!(problem = %problem.id, %error, "a problem is unreadable");
            None
        }
    }
}

/// What the changes say to be wrong, or no longer.
///
/// # Errors
/// If a change cannot be encoded.
pub(crate) fn of(all: &Notification, meta: &Meta) -> Result<Vec<ProblemChange>, EncodeError> {
    let mut problems = Vec::new();
    for change in &all.changes.changes {
        for condition in conditions(&all.changes, change) {
            let begins = match condition.phase {
                Phase::Happened => continue,
                Phase::Ends => None,
                Phase::Begins => Some(alone(all, change, meta)?),
            };
            problems.push(ProblemChange {
                id: Uuid::new_v5(&CONDITIONS, condition.key.as_bytes()),
                at: change.at,
                begins,
            });
        }
    }
    Ok(problems)
}

/// The encoded notification of one of the changes.
fn alone(all: &Notification, change: &Change, meta: &Meta) -> Result<Vec<u8>, EncodeError> {
    let changes = Changes {
        changes: vec![change.clone()],
        ..all.changes.clone()
    };
    let alone = Notification::gathered(changes, all.created_at);
    let meta = Meta {
        id: alone.id,
        ..meta.clone()
    };
    encode(&meta, &alone)
}

/// Runs until the token is cancelled; does nothing if nobody is to be reminded.
pub(crate) async fn run(
    deps: &Deps,
    every: SignedDuration,
    wake: &watch::Sender<()>,
    shutdown: &CancellationToken,
) {
    let Some(pause) = Duration::try_from(every)
        .ok()
        .filter(|every| !every.is_zero())
    else {
        return;
    };
    while !shutdown.is_cancelled() {
        match remind(deps, every).await {
            Ok(true) => {
                wake.send_replace(());
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "nobody can be reminded; trying on"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause.min(LOOK_EVERY)) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Why nobody could be reminded.
#[derive(Debug, thiserror::Error)]
enum CannotRemind {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a reminder cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
}

/// Reminds each channel of what it would be told of. True if there was anything.
async fn remind(deps: &Deps, every: SignedDuration) -> Result<bool, CannotRemind> {
    let now = Timestamp::now();
    let due = deps.store.take_reminders(now, every, MOST).await?;
    let due = due.into_iter().filter_map(read);
    let changes: Vec<Changes> = due.map(|problem| problem.changes).collect();
    let silences = deps.silences.current(&deps.store).await;
    let mut any = false;
    for channel in deps
        .channels
        .iter()
        .filter(|channel| !channel.is_always_told())
    {
        let told_of = |one: &&Changes| {
            let quiet = |change: &_| deps.is_quiet(&silences, &one.about, change, now);
            let shares = deps.routing.routes.share(one, quiet);
            shares
                .iter()
                .any(|share| share.stop.channel == channel.name())
        };
        let of_channel: Vec<Changes> = changes.iter().filter(told_of).cloned().collect();
        if let Some(summary) = Summary::reminder(&of_channel, now) {
            let new = reminder(summary, channel, now)?;
            any |= deps.store.save_notification(new).await?;
        }
    }
    Ok(any)
}

fn reminder(
    mut summary: Summary,
    channel: &Channel,
    now: Timestamp,
) -> Result<NewNotification, EncodeError> {
    summary.id = Uuid::new_v5(&summary.id, channel.name().as_bytes());
    let (_, low) = summary.id.as_u64_pair();
    let meta = Meta {
        id: summary.id,
        source: "/portwatch/notifier".to_owned(),
        time: now,
        trace: TraceParent::new(summary.id.as_u128(), low),
    };
    let body = encode(&meta, &summary)?;
    let content = Content::Summary(summary);
    Ok(NewNotification {
        id: content.id(),
        created_at: now,
        body,
        order_key: content.order_key(),
        deliveries: vec![NewDelivery {
            id: content.delivery_id(channel.name()),
            channel: channel.name().to_owned(),
        }],
        held: Vec::new(),
        problems: Vec::new(),
    })
}
