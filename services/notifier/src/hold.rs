//! Tells what waited: one message for each host, or one for many.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use portwatch_domain::notification::bundle::{self, Held, Told};
use portwatch_domain::notification::{Content, Notification};
use portwatch_schemas::{EncodeError, Meta, TraceParent, decode, encode};
use portwatch_store::StoreError;
use portwatch_store::held::{HeldNotification, Release, Waiting};
use portwatch_store::notifications::{NewDelivery, NewNotification};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Channel, Deps};

/// What is looked at in one go.
const MOST: u32 = 10_000;
/// The longest time after which the store is asked again, for what another process has made wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How long after a failure of the store it is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Runs until the token is cancelled. Each channel has a loop of its own.
pub(crate) async fn run(deps: &Deps, wake: &watch::Sender<()>, shutdown: &CancellationToken) {
    join_all(
        deps.channels
            .iter()
            .map(|channel| of_channel(deps, channel, wake, shutdown)),
    )
    .await;
}

async fn of_channel(
    deps: &Deps,
    channel: &Channel,
    wake: &watch::Sender<()>,
    shutdown: &CancellationToken,
) {
    let mut woken = wake.subscribe();
    let names = [channel.name().to_owned()];
    let mut failing = false;
    while !shutdown.is_cancelled() {
        woken.mark_unchanged();
        let told = async {
            let next = deps.store.next_held(&names).await?;
            if next.is_none_or(|next| next > Timestamp::now()) {
                return Ok(next);
            }
            if tell(deps, channel).await? {
                wake.send_replace(());
            }
            deps.store.next_held(&names).await.map_err(Problem::from)
        };
        let pause = match told.await {
            Ok(next) => {
                failing = false;
                let wait = next.map(|next| next.duration_since(Timestamp::now()));
                let wait = wait.map(|wait| Duration::try_from(wait).unwrap_or_default());
                wait.map_or(LONGEST_PAUSE, |wait| {
                    wait.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
                })
            }
            Err(error) => {
                if !failing {
                    tracing::error!(channel = channel.name(), %error, "what waits to be told cannot be told; trying on");
                }
                failing = true;
                AFTER_FAILURE
            }
        };
        tokio::select! {
            Ok(()) = woken.changed() => {}
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what is told cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
}

/// Tells the channel what is due. True if there was anything.
async fn tell(deps: &Deps, channel: &Channel) -> Result<bool, Problem> {
    let mut any = false;
    for waiting in [Waiting::Groups, Waiting::Digest] {
        let now = Timestamp::now();
        let found = deps.store.held(channel.name(), waiting, now, MOST).await?;
        if found.is_empty() {
            continue;
        }
        let Found {
            held,
            traces,
            unreadable,
        } = read(deps, found, now).await;
        let mut told = match waiting {
            Waiting::Groups => bundle::tell(&held, channel.habits().storm, now),
            Waiting::Digest => bundle::in_one(&held, now),
        };
        told.seqs.extend(unreadable);
        if told.seqs.is_empty() {
            continue;
        }
        any |= release(deps, channel, waiting, told, &traces, now).await?;
    }
    Ok(any)
}

/// What waits for a channel.
struct Found {
    held: Vec<Held>,
    /// To which trace the changes of each host, target or zone belong.
    traces: HashMap<String, TraceParent>,
    unreadable: Vec<i64>,
}

/// What is found, without what was silenced while it waited.
async fn read(deps: &Deps, found: Vec<HeldNotification>, now: Timestamp) -> Found {
    let silences = deps.silences.current(&deps.store).await;
    let mut traces = HashMap::new();
    let mut held = Vec::with_capacity(found.len());
    let mut unreadable = Vec::new();
    for one in found {
        let (meta, mut notification) = match decode::<Notification>(&one.body) {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(seq = one.seq, %error, "what waits is unreadable, and stays unsaid");
                unreadable.push(one.seq);
                continue;
            }
        };
        let changes = &mut notification.changes;
        let about = changes.about.clone();
        changes
            .changes
            .retain(|change| !deps.is_quiet(&silences, &about, change, now));
        traces.entry(changes.order_key()).or_insert(meta.trace);
        held.push(Held {
            seq: one.seq,
            due_at: one.due_at,
            changes: notification.changes,
        });
    }
    Found {
        held,
        traces,
        unreadable,
    }
}

async fn release(
    deps: &Deps,
    channel: &Channel,
    waiting: Waiting,
    told: Told,
    traces: &HashMap<String, TraceParent>,
    now: Timestamp,
) -> Result<bool, Problem> {
    let name = channel.name();
    let mut contents: Vec<Content> = told
        .single
        .into_iter()
        .filter(|changes| !changes.changes.is_empty())
        .map(|changes| Content::Changes(Notification::gathered(changes, now)))
        .collect();
    let storm = told.summary.is_some() && waiting == Waiting::Groups;
    contents.extend(told.summary.map(Content::Summary));
    let mut keys: Vec<String> = contents.iter().map(Content::order_key).collect();
    keys.dedup();
    match waiting {
        // After a summary of everything, everything waits.
        Waiting::Groups if storm => keys = vec![String::new()],
        Waiting::Groups => {}
        Waiting::Digest => keys.clear(),
    }
    let mut notifications = Vec::with_capacity(contents.len());
    for content in contents {
        let trace = traces.get(&content.order_key()).or(traces.values().next());
        notifications.push(notification(content, name, trace, now)?);
    }
    metrics::counter!("portwatch_notification_taken_back_total").increment(told.taken_back as u64);
    if storm {
        tracing::warn!(
            channel = name,
            "many hosts changed at once: told in one summary"
        );
    }
    let release = Release {
        seqs: told.seqs,
        notifications,
        channel: name.to_owned(),
        told: keys,
        now,
    };
    Ok(deps.store.release(release).await?)
}

/// What is saved of it. Its id is of this channel alone: another one may wait for the same with something else.
fn notification(
    mut content: Content,
    channel: &str,
    trace: Option<&TraceParent>,
    now: Timestamp,
) -> Result<NewNotification, EncodeError> {
    let id = Uuid::new_v5(&content.id(), channel.as_bytes());
    let (high, low) = id.as_u64_pair();
    let meta = Meta {
        id,
        source: "/portwatch/notifier".to_owned(),
        time: now,
        trace: trace.map_or_else(
            || TraceParent::new(id.as_u128(), low),
            |trace| trace.child(high),
        ),
    };
    let body = match &mut content {
        Content::Changes(notification) => {
            notification.id = id;
            encode(&meta, notification)?
        }
        Content::Summary(summary) => {
            summary.id = id;
            encode(&meta, summary)?
        }
    };
    Ok(NewNotification {
        id,
        created_at: now,
        body,
        order_key: content.order_key(),
        deliveries: vec![NewDelivery {
            id: content.delivery_id(channel),
            channel: channel.to_owned(),
        }],
        held: Vec::new(),
        problems: Vec::new(),
    })
}
