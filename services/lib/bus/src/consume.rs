//! The consume loop: what every service does with every message, written once.
//!
//! Take, check the size, decode, hand to the handler, and only after its `Ok` acknowledge. What
//! fails is retried or dead-lettered, with the reason, but for progress, which is dropped; whatever
//! happens, the loop goes on.

mod meters;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use portwatch_schemas::{MAX_MESSAGE_BYTES, Message, Meta, decode};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{Bus, BusError, Delivery, MAX_ATTEMPTS, RetryStep, Route};
use meters::Meters;

/// A message, decoded and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<M> {
    /// Its envelope.
    pub meta: Meta,
    /// What it says.
    pub message: M,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// Why a handler could not handle a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlerError {
    /// For now: try it again later. After the last attempt it is dead.
    Retry(String),
    /// For good: nothing will make this message work.
    Dead(String),
}

/// A consumer: which messages, and how many at once.
#[derive(Clone)]
pub struct Consumer {
    /// Where from.
    pub bus: Bus,
    /// Which messages, the most urgent first.
    pub routes: Vec<Route>,
    /// How many are handled at the same time; also the prefetch of each route.
    pub concurrency: u16,
    /// On shutdown, how long handlers in hand may still take. What is not done by then is handed
    /// back.
    pub grace: Duration,
}

impl Consumer {
    /// Handles messages until `shutdown`; then finishes those in hand, and returns.
    ///
    /// The handlers share one task: they run at the same time wherever they wait, and none may
    /// block. A handler that is not done when the grace is over is dropped where it waits.
    ///
    /// # Errors
    /// If the subscription is not possible or the bus is closed. A broker that is away is waited
    /// for.
    pub async fn run<M, H, Fut>(
        self,
        handler: H,
        shutdown: CancellationToken,
    ) -> Result<(), BusError>
    where
        M: Message,
        H: Fn(Received<M>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<(), HandlerError>> + Send,
    {
        meters::describe(&self.routes);
        let mut subscription = self.bus.subscribe(&self.routes, self.concurrency).await?;
        let mut in_hand = FuturesUnordered::new();
        let ended = loop {
            let has_room = in_hand.len() < usize::from(self.concurrency);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ok(()),
                Some(()) = in_hand.next() => {}
                delivery = subscription.next(), if has_room => match delivery {
                    Ok(delivery) => in_hand.push(consume(delivery, &handler)),
                    Err(error) => break Err(error),
                },
            }
        };
        subscription.stop().await;
        let all_done = async { while in_hand.next().await.is_some() {} };
        if tokio::time::timeout(self.grace, all_done).await.is_err() {
            tracing::warn!(
                messages = in_hand.len(),
                grace = ?self.grace,
                "handing back what is not done at the end of the grace"
            );
        }
        ended
    }
}

/// Takes one message through.
async fn consume<M, H, Fut>(mut delivery: Delivery, handler: &H)
where
    M: Message,
    H: Fn(Received<M>) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), HandlerError>> + Send,
{
    let meters = Meters::of(&delivery.route);
    meters.consumed();
    let bytes = delivery.body.len();
    if bytes > MAX_MESSAGE_BYTES {
        meters.given_up(&delivery.route);
        // Its beginning is enough to see what it was; the dead queue is no place for all of it.
        delivery.body.truncate(MAX_MESSAGE_BYTES);
        let reason = format!("message of {bytes} bytes is over the limit of {MAX_MESSAGE_BYTES}");
        return delivery.dead(reason).await;
    }
    let (meta, message) = match decode::<M>(&delivery.body) {
        Ok(decoded) => decoded,
        Err(error) => {
            meters.given_up(&delivery.route);
            return delivery.dead(error.to_string()).await;
        }
    };
    let span = tracing::info_span!(
        "message",
        route = %delivery.route,
        id = %meta.id,
        trace_id = format_args!("{:032x}", meta.trace.trace_id),
        attempt = delivery.attempt,
    );
    let received = Received {
        meta,
        message,
        attempt: delivery.attempt,
    };
    async {
        let started = Instant::now();
        // The call itself is inside too: a handler may panic before its first await.
        let outcome = AssertUnwindSafe(async { handler(received).await })
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(HandlerError::Retry(words_of(panic.as_ref()))));
        meters.handled(started.elapsed());
        conclude(delivery, outcome, meters).await;
    }
    .instrument(span)
    .await;
}

/// Settles a message as its handler said.
async fn conclude(delivery: Delivery, outcome: Result<(), HandlerError>, meters: Meters) {
    let reason = match outcome {
        Ok(()) => return delivery.ack().await,
        Err(HandlerError::Dead(reason)) => {
            meters.failed();
            meters.given_up(&delivery.route);
            return delivery.dead(reason).await;
        }
        Err(HandlerError::Retry(reason)) => reason,
    };
    meters.failed();
    if delivery.route.is_fleeting() {
        delivery.dead(reason).await;
    } else if let Some(step) = RetryStep::after(delivery.attempt) {
        tracing::warn!(reason, ?step, "message failed and will be tried again");
        meters.retried();
        delivery.retry(reason, step).await;
    } else {
        meters.given_up(&delivery.route);
        let reason = format!("failed {MAX_ATTEMPTS} times, the last time with: {reason}");
        delivery.dead(reason).await;
    }
}

/// What a panic said.
fn words_of(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the handler panicked: {}", said.unwrap_or("no words"))
}
