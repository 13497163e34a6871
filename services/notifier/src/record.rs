//! Makes the deliveries of changes: one for each channel that is told, at once or later.

use jiff::{SignedDuration, Timestamp};
use portwatch_bus::{HandlerError, Received};
use portwatch_domain::change::{Change, Changes};
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::route::Stop;
use portwatch_schemas::{Meta, encode};
use portwatch_store::held::{Hold, NewHeld};
use portwatch_store::notifications::{NewDelivery, NewNotification};
use portwatch_store::retry_while_unavailable;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Deps, problems};

/// Saves the notifications with their deliveries and wakes the delivery loops. A change that was
/// recorded before leads to nothing.
pub(crate) async fn record(
    deps: &Deps,
    wake: &watch::Sender<()>,
    shutdown: &CancellationToken,
    received: Received<Changes>,
) -> Result<(), HandlerError> {
    let Received {
        meta,
        message: changes,
        ..
    } = received;
    let now = Timestamp::now();
    let Some(all) = Notification::of(changes, now) else {
        metrics::counter!("portwatch_notification_muted_total").increment(1);
        return Ok(());
    };
    let envelope = Meta {
        id: all.id,
        source: "/portwatch/notifier".to_owned(),
        time: now,
        trace: meta.trace.child(Uuid::new_v4().as_u64_pair().0),
    };
    let dead = |error| HandlerError::Dead(format!("the notification cannot be encoded: {error}"));
    let mut problems = problems::of(&all, &envelope).map_err(dead)?;
    let mut shares = shares(deps, &all, now).await;
    if shares.is_empty() && !problems.is_empty() {
        // Nobody is told, but what is wrong is noted.
        shares.push(((0..all.changes.changes.len()).collect(), Vec::new()));
    }
    for (places, stops) in shares {
        let notification = part(&all, &places);
        let envelope = Meta {
            id: notification.id,
            ..envelope.clone()
        };
        let body = encode(&envelope, &notification).map_err(dead)?;
        let new = NewNotification {
            problems: std::mem::take(&mut problems),
            ..new(deps, &notification, body, &stops)
        };
        let saved = retry_while_unavailable("saving a notification", shutdown, || {
            deps.store.save_notification(new.clone())
        })
        .await
        .map_err(|error| HandlerError::Retry(error.to_string()))?;
        if saved {
            metrics::counter!("portwatch_notification_made_total").increment(1);
            wake.send_replace(());
        }
    }
    Ok(())
}

/// Which of the changes, by their places, go to whom. Nobody is told of what is silenced.
async fn shares<'a>(
    deps: &'a Deps,
    all: &Notification,
    now: Timestamp,
) -> Vec<(Vec<usize>, Vec<Stop<'a>>)> {
    let silences = deps.silences.current(&deps.store).await;
    let changes = &all.changes;
    let is_quiet = |change: &Change| deps.is_quiet(&silences, &changes.about, change, now);
    let quiet = changes.changes.iter().filter(|change| is_quiet(change));
    metrics::counter!("portwatch_change_silenced_total").increment(quiet.count() as u64);
    let mut shares: Vec<(Vec<usize>, Vec<Stop<'a>>)> = Vec::new();
    let mut add = |places: Vec<usize>, stop| match shares.iter_mut().find(|(of, _)| *of == places) {
        Some((_, stops)) => stops.push(stop),
        None => shares.push((places, vec![stop])),
    };
    for channel in &deps.routing.always {
        let stop = Stop {
            channel,
            digest: None,
        };
        add((0..changes.changes.len()).collect(), stop);
    }
    for share in deps.routing.routes.share(changes, is_quiet) {
        let is_known = deps
            .routing
            .always
            .iter()
            .any(|name| name == share.stop.channel);
        if !is_known || share.stop.digest.is_some() {
            add(share.places, share.stop);
        }
    }
    shares
}

/// The notification of some of the changes.
fn part(all: &Notification, places: &[usize]) -> Notification {
    if places.len() == all.changes.changes.len() {
        return all.clone();
    }
    let some = places
        .iter()
        .filter_map(|&place| all.changes.changes.get(place));
    let changes = Changes {
        changes: some.cloned().collect(),
        ..all.changes.clone()
    };
    Notification::gathered(changes, all.created_at)
}

fn new(
    deps: &Deps,
    notification: &Notification,
    body: Vec<u8>,
    stops: &[Stop<'_>],
) -> NewNotification {
    let (mut deliveries, mut later) = (Vec::new(), Vec::new());
    for stop in stops {
        let channel = stop.channel.to_owned();
        match hold(deps, stop, notification.created_at) {
            Some(hold) => later.push(NewHeld { channel, hold }),
            None => deliveries.push(NewDelivery {
                id: notification.delivery_id(&channel),
                channel,
            }),
        }
    }
    NewNotification {
        id: notification.id,
        created_at: notification.created_at,
        body,
        order_key: notification.order_key(),
        deliveries,
        held: later,
        problems: Vec::new(),
    }
}

/// For how long it waits for others; `None` if the channel is told at once.
fn hold(deps: &Deps, stop: &Stop<'_>, now: Timestamp) -> Option<Hold> {
    if let Some(digest) = stop.digest {
        return Some(Hold::Digest(digest.after(now)));
    }
    let mut channels = deps.channels.iter();
    let habits = channels
        .find(|channel| channel.name() == stop.channel)?
        .habits();
    (habits.wait > SignedDuration::ZERO).then_some(Hold::Group {
        wait: habits.wait,
        interval: habits.interval,
    })
}
