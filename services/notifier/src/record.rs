//! Makes the deliveries of a change: one for each channel that is told.

use jiff::Timestamp;
use portwatch_bus::{HandlerError, Received};
use portwatch_domain::change::Changes;
use portwatch_domain::notification::Notification;
use portwatch_schemas::{Meta, encode};
use portwatch_store::notifications::{NewDelivery, NewNotification};
use portwatch_store::retry_while_unavailable;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Deps;

/// Saves the notification with its deliveries and wakes the delivery loops. A change that was
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
    let Some(notification) = Notification::of(changes, Timestamp::now()) else {
        metrics::counter!("portwatch_notification_muted_total").increment(1);
        return Ok(());
    };
    let envelope = Meta {
        id: notification.id,
        source: "/portwatch/notifier".to_owned(),
        time: notification.created_at,
        trace: meta.trace.child(Uuid::new_v4().as_u64_pair().0),
    };
    let body = encode(&envelope, &notification).map_err(|error| {
        HandlerError::Dead(format!("the notification cannot be encoded: {error}"))
    })?;
    let deliveries = deps.channels.iter().map(|channel| NewDelivery {
        id: notification.delivery_id(channel.name()),
        channel: channel.name().to_owned(),
    });
    let new = NewNotification {
        id: notification.id,
        created_at: notification.created_at,
        body,
        order_key: notification.order_key(),
        deliveries: deliveries.collect(),
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
    Ok(())
}
