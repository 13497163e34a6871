//! The bus inside one process: queues in memory, for a site that runs everything as one program.
//!
//! It only wakes: a publisher learns when its message was handled or died, and keeps it in its
//! outbox until then, so nothing is lost with the process.

mod in_hand;
mod queues;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use portwatch_schemas::MAX_MESSAGE_BYTES;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use crate::delivery::Letter;
use crate::{
    Broker, Bus, BusError, DeadLetter, Delivery, PublishError, RetryDelays, Route, Subscription,
};
use in_hand::InHand;
use queues::{Queues, Refusal, Waiting};

/// A bus of this process. `shards` is how many snapshot queues there are, at least 1.
pub fn new(shards: u16) -> Bus {
    with_retry_delays(shards, RetryDelays::default())
}

/// The same, with other waits between attempts.
pub fn with_retry_delays(shards: u16, delays: RetryDelays) -> Bus {
    Arc::new(InProcess::new(shards, delays))
}

pub(crate) struct InProcess {
    queues: Arc<Queues>,
    shards: u16,
    delays: RetryDelays,
}

impl InProcess {
    pub(crate) fn new(shards: u16, delays: RetryDelays) -> Self {
        Self {
            queues: Arc::default(),
            shards: shards.max(1),
            delays,
        }
    }

    /// Puts a message of any size and content into a queue, and waits until it is settled. What may be dropped
    /// is not waited for.
    pub(crate) async fn send(
        &self,
        route: &Route,
        id: Option<Uuid>,
        body: Vec<u8>,
    ) -> Result<(), PublishError> {
        let (settled, is_settled) = oneshot::channel();
        let letter = Letter {
            route: route.clone(),
            id,
            body,
            attempt: 1,
        };
        if matches!(route, Route::Snapshot { shard } if *shard >= self.shards) {
            let reason = DeadLetter::unroutable(&route.to_string());
            tracing::error!(%route, reason, "message is dead");
            self.queues.bury(letter, None, reason);
            return Ok(());
        }
        if route.is_fleeting() {
            let letter_alone = Waiting {
                letter,
                settled: None,
            };
            let pushed = self.queues.push_over(letter_alone);
            return pushed.map_err(|refusal| refusal.publishing_to(route.to_string()));
        }
        let waiting = Waiting {
            letter,
            settled: Some(settled),
        };
        let route = route.to_string();
        if let Err(refusal) = self.queues.push(waiting) {
            return Err(refusal.publishing_to(route));
        }
        tokio::select! {
            Ok(()) = is_settled => Ok(()),
            () = self.queues.closed().cancelled() => Err(PublishError::Closed { route }),
        }
    }
}

impl Refusal {
    fn publishing_to(self, route: String) -> PublishError {
        match self {
            Self::Full => PublishError::Nacked { route },
            Self::Closed => PublishError::Closed { route },
        }
    }
}

#[async_trait]
impl Broker for InProcess {
    async fn publish(&self, route: &Route, id: Uuid, body: Vec<u8>) -> Result<(), PublishError> {
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(PublishError::TooLarge {
                route: route.to_string(),
                bytes: body.len(),
                limit: MAX_MESSAGE_BYTES,
            });
        }
        self.send(route, Some(id), body).await
    }

    async fn subscribe(
        &self,
        routes: &[Route],
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BusError> {
        if routes.is_empty() || prefetch == 0 {
            return Err(BusError::EmptySubscription);
        }
        let lane = |(route, rank): (&Route, usize)| Lane {
            route: route.clone(),
            rank,
            room: Arc::new(Semaphore::new(usize::from(prefetch))),
        };
        let ranks = Route::ranks(routes);
        Ok(Box::new(InProcessSubscription {
            queues: Arc::clone(&self.queues),
            delays: self.delays,
            lanes: routes.iter().zip(ranks).map(lane).collect(),
            is_stopped: false,
        }))
    }

    async fn check(&self) -> Result<(), BusError> {
        if self.queues.closed().is_cancelled() {
            return Err(BusError::Closed);
        }
        Ok(())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        Ok(self.queues.dead_letters(limit))
    }

    async fn resend_dead(&self, id: Uuid) -> Result<bool, BusError> {
        let resent = self.queues.resend_dead(id);
        resent.map_err(|(route, refusal)| refusal.publishing_to(route.to_string()).into())
    }

    async fn close(&self) {
        self.queues.close();
    }
}

/// One route of a subscription.
struct Lane {
    route: Route,
    rank: usize,
    /// How many more of its messages may be in hand.
    room: Arc<Semaphore>,
}

struct InProcessSubscription {
    queues: Arc<Queues>,
    delays: RetryDelays,
    lanes: Vec<Lane>,
    is_stopped: bool,
}

impl InProcessSubscription {
    /// A message of the first rank that has any, from the lane where one has waited longest.
    fn take(&self) -> Option<Delivery> {
        let mut with_room: Vec<_> = self
            .lanes
            .iter()
            .filter_map(|lane| {
                let permit = Arc::clone(&lane.room).try_acquire_owned().ok()?;
                Some((lane, permit))
            })
            .collect();
        let offers = with_room.iter().map(|(lane, _)| (&lane.route, lane.rank));
        let (index, waiting) = self.queues.pop(offers)?;
        let (_, permit) = with_room.swap_remove(index);
        let in_hand = InHand {
            queues: Arc::clone(&self.queues),
            delays: self.delays,
            settled: waiting.settled,
            permit,
        };
        Some(Delivery::new(waiting.letter, Box::new(in_hand)))
    }
}

#[async_trait]
impl Subscription for InProcessSubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            let mut changed = std::pin::pin!(self.queues.changed());
            // From here on no change is missed, so looking first and waiting then is safe.
            changed.as_mut().enable();
            if self.queues.closed().is_cancelled() {
                return Err(BusError::Closed);
            }
            if !self.is_stopped
                && let Some(delivery) = self.take()
            {
                return Ok(delivery);
            }
            changed.await;
        }
    }

    async fn stop(&mut self) {
        self.is_stopped = true;
    }
}
