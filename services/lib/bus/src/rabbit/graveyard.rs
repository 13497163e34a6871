//! Looks at the dead queue without taking anything out of it, and sends dead letters again.
//!
//! AMQP has no way to look: a message is taken and given back, and the queue counts that. A queue
//! that has handed a message out too often drops it, so one that comes near is sent to the queue's
//! end as a new message first.

use lapin::Channel;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use uuid::Uuid;

use super::headers;
use super::publisher::{Parcel, Publisher};
use super::session::{Bounded, Session};
use super::topology;
use crate::{BusError, DeadLetter, Route};

/// Handed out this often, a dead letter is made new.
const RENEW_AT: i64 = topology::DEAD_DELIVERY_LIMIT / 2;

pub(super) struct Graveyard<'a> {
    channel: Channel,
    bounded: &'a Bounded,
    publisher: &'a Publisher,
}

impl<'a> Graveyard<'a> {
    /// On a channel of its own: closing it gives back whatever was taken.
    pub(super) async fn enter(
        session: &'a Session,
        publisher: &'a Publisher,
    ) -> Result<Self, BusError> {
        Ok(Self {
            channel: session.side_channel().await?,
            bounded: &session.bounded,
            publisher,
        })
    }

    /// The oldest, at most `limit`.
    pub(super) async fn look(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        let mut found = Vec::new();
        let mut taken = None;
        let mut limit = limit;
        while found.len() < limit
            && let Some(message) = self.take().await?
        {
            // What is renewed comes to the end of the queue; it is not to be found a second time.
            let left = usize::try_from(message.message_count).unwrap_or(usize::MAX);
            limit = limit.min(left.saturating_add(found.len() + 1));
            let is_worn = headers::delivery_count(&message.properties) >= RENEW_AT;
            let id = headers::id(&message.properties);
            let (letter, tag) = letter(message);
            if is_worn {
                self.renew(&letter, id).await?;
                self.ack(tag).await?;
            } else {
                taken = Some(tag);
            }
            found.push(letter);
        }
        self.give_back(taken).await?;
        Ok(found)
    }

    /// Sends the letter with this id to its route again; false if there is none.
    pub(super) async fn resend(&self, id: Uuid) -> Result<bool, BusError> {
        let mut taken = None;
        let mut found = false;
        while !found && let Some(message) = self.take().await? {
            let own_id = headers::id(&message.properties);
            let (letter, tag) = letter(message);
            if letter.id != id {
                taken = Some(tag);
                continue;
            }
            found = true;
            let parcel = Parcel {
                exchange: topology::WORK,
                key: &letter.key,
                zone: letter.route.as_ref().and_then(Route::zone),
                properties: headers::new(own_id),
                body: &letter.body,
            };
            self.publisher.send(&parcel).await?;
            self.ack(tag).await?;
        }
        self.give_back(taken).await?;
        Ok(found)
    }

    async fn take(&self) -> Result<Option<BasicGetMessage>, BusError> {
        let get = self
            .channel
            .basic_get(topology::DEAD.into(), BasicGetOptions::default());
        self.bounded.call(|| "looking at dead letters", get).await
    }

    /// Puts the letter to the end of the queue as a new message.
    async fn renew(&self, letter: &DeadLetter, id: Option<Uuid>) -> Result<(), BusError> {
        let parcel = Parcel {
            exchange: topology::DEAD,
            key: &letter.key,
            zone: None,
            properties: headers::still_dead(letter, id),
            body: &letter.body,
        };
        Ok(self.publisher.send(&parcel).await?)
    }

    async fn ack(&self, tag: u64) -> Result<(), BusError> {
        let ack = self.channel.basic_ack(tag, BasicAckOptions::default());
        self.bounded.call(|| "removing a dead letter", ack).await
    }

    /// Gives back everything up to this one, the last that was taken and not acknowledged.
    async fn give_back(&self, taken: Option<u64>) -> Result<(), BusError> {
        if let Some(tag) = taken {
            let options = BasicNackOptions {
                multiple: true,
                requeue: true,
            };
            let nack = self.channel.basic_nack(tag, options);
            let what = || "giving back dead letters";
            self.bounded.call(what, nack).await?;
        }
        // Waits until all of it is back, before anybody looks again.
        let close = self.channel.close(200, "done".into());
        self.bounded.call(|| "closing a channel", close).await
    }
}

/// The letter in a message, and the tag to acknowledge it by.
fn letter(message: BasicGetMessage) -> (DeadLetter, u64) {
    let delivery = message.delivery;
    let key = delivery.routing_key.as_str();
    let letter = headers::dead_letter(key, &delivery.properties, delivery.data);
    (letter, delivery.delivery_tag)
}
