//! Switches channels off and on, and tells the others.

use jiff::Timestamp;
use portwatch_domain::change::{
    About, Change, ChangeId, ChangeKind, Changes, ChannelEvent, Severity, Transition,
};
use portwatch_domain::notification::Notification;
use portwatch_domain::notification::dead::{Failing, is_dead};
use portwatch_domain::notification::quiet::quiet;
use portwatch_domain::snapshot::service::SafeText;
use portwatch_schemas::{EncodeError, Meta, TraceParent, encode};
use portwatch_store::channels::{ChannelState, Off};
use portwatch_store::notifications::{NewDelivery, NewNotification};
use portwatch_store::{Store, StoreError};
use uuid::Uuid;

use crate::{Channel, Deps, Routing, Silences, problems};

/// What is needed to tell what becomes of a channel.
#[derive(Clone, Copy)]
pub struct Switch<'a> {
    /// Which channels are off, and what is told.
    pub store: &'a Store,
    /// Who can be told.
    pub channels: &'a [Channel],
    /// Of what.
    pub routing: &'a Routing,
    /// And of what not.
    pub silences: &'a Silences,
}

/// Why a channel could not be switched.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is told cannot be written.
    #[error("what becomes of the channel cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
}

impl Deps {
    fn switch(&self) -> Switch<'_> {
        Switch {
            store: &self.store,
            channels: &self.channels,
            routing: &self.routing,
            silences: &self.silences,
        }
    }
}

/// Switches a channel off if its receiver is dead, now that an attempt has failed. `gone` is what the receiver said
/// of itself.
pub(crate) async fn after_failure(
    deps: &Deps,
    channel: &str,
    gone: bool,
    error: &str,
) -> Result<(), SwitchError> {
    let states = deps.store.channels_in_trouble().await?;
    let works = |other: &&Channel| {
        let in_trouble = states.iter().any(|state| state.name == other.name());
        other.name() != channel && !in_trouble
    };
    let others_work = deps.channels.iter().any(|other| works(&other));
    let now = Timestamp::now();
    let Some(ChannelState {
        failing_since: Some(since),
        off: None,
        ..
    }) = states.iter().find(|state| state.name == channel)
    else {
        return Ok(());
    };
    let failing = Failing {
        since: *since,
        gone,
        others_work,
    };
    if !is_dead(failing, now) {
        return Ok(());
    }
    let off = Off {
        at: now,
        by: None,
        reason: if gone {
            format!("the receiver wants no more: {error}")
        } else {
            format!("no delivery has succeeded since {since:.0}: {error}")
        },
    };
    // The key is that of the failure, so that nobody is told twice should this be broken off.
    if deps.switch().off(channel, off, *since).await? {
        tracing::error!(
            channel,
            error,
            "the receiver is dead; the channel is off until `portwatch channel on` is given"
        );
    }
    Ok(())
}

impl Switch<'_> {
    /// Switches a channel off; `key` is the same if that is tried again. The others are told first, so that it is never
    /// off with nobody told. False if it is off.
    ///
    /// # Errors
    /// If the store cannot be asked; then all of it can be tried again.
    pub async fn off(&self, channel: &str, off: Off, key: Timestamp) -> Result<bool, SwitchError> {
        if self.off_names().await?.iter().any(|name| name == channel) {
            return Ok(false);
        }
        let reason = match &off.by {
            Some(by) => format!("by {by}: {}", off.reason),
            None => off.reason.clone(),
        };
        let event = ChannelEvent::Off {
            reason: SafeText::new(&reason),
        };
        self.tell(channel, event, key).await?;
        Ok(self.store.switch_off(channel, off).await?)
    }

    /// Switches a channel on again. False if it is not off.
    ///
    /// # Errors
    /// If the store cannot be asked; then all of it can be tried again.
    pub async fn on(&self, channel: &str) -> Result<bool, SwitchError> {
        if !self.store.switch_on(channel).await? {
            return Ok(false);
        }
        self.tell(channel, ChannelEvent::On, Timestamp::now())
            .await?;
        Ok(true)
    }

    async fn off_names(&self) -> Result<Vec<String>, StoreError> {
        let states = self.store.channels_in_trouble().await?;
        let off = states.into_iter().filter(|state| state.off.is_some());
        Ok(off.map(|state| state.name).collect())
    }

    /// Tells those whom a route names, or else all others.
    async fn tell(
        &self,
        channel: &str,
        event: ChannelEvent,
        key: Timestamp,
    ) -> Result<(), SwitchError> {
        let now = Timestamp::now();
        let installation = self.store.installation().await?;
        let notification = notification(installation, channel, event, key, now);
        let id = notification.id;
        let meta = Meta {
            id,
            source: "/portwatch/notifier".to_owned(),
            time: now,
            trace: TraceParent::new(id.as_u128(), id.as_u64_pair().1),
        };
        let told = self.told(channel, &notification.changes, now).await?;
        let delivery = |name: &String| NewDelivery {
            id: notification.delivery_id(name),
            channel: name.clone(),
        };
        let new = NewNotification {
            id,
            created_at: now,
            body: encode(&meta, &notification)?,
            order_key: notification.order_key(),
            deliveries: told.iter().map(delivery).collect(),
            held: Vec::new(),
            problems: problems::of(&notification, &meta)?,
        };
        self.store.save_notification(new).await?;
        Ok(())
    }

    async fn told(
        &self,
        channel: &str,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let silences = self.silences.current(self.store).await;
        let maintenance = &self.routing.maintenance;
        let is_quiet =
            |change: &Change| quiet(&silences, maintenance, &changes.about, change, now).is_some();
        let mut told = self.routing.always.clone();
        if !changes.changes.iter().any(is_quiet) {
            let off = self.off_names().await?;
            let can = |name: &str| name != channel && !off.iter().any(|off| off == name);
            let shares = self.routing.routes.share(changes, is_quiet);
            let routed = shares.iter().map(|share| share.stop.channel.to_owned());
            let mut others: Vec<String> = routed.filter(|name| can(name)).collect();
            if others.is_empty() {
                let names = self
                    .channels
                    .iter()
                    .map(|channel| channel.name().to_owned());
                others = names.filter(|name| can(name)).collect();
            }
            told.extend(others);
        }
        told.sort_unstable();
        told.dedup();
        Ok(told)
    }
}

/// What became of a channel.
pub(crate) fn notification(
    installation: Uuid,
    channel: &str,
    event: ChannelEvent,
    key: Timestamp,
    now: Timestamp,
) -> Notification {
    let transition = Transition::Channel(event);
    let kind: ChangeKind = transition.kind();
    let changes = Changes {
        about: About::Channel(channel.to_owned()),
        notify: true,
        job: None,
        changes: vec![Change {
            id: ChangeId::of_channel(installation, channel, kind, key),
            severity: Severity::of(&transition),
            transition,
            quiet: false,
            at: now,
        }],
    };
    Notification {
        id: changes.id(),
        changes,
        created_at: now,
    }
}
