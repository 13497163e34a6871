//! A subscription: a session of its own with one consumer for each route, set up again whenever
//! it breaks.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{SelectAll, once, select_all};
use futures_util::{Stream, StreamExt as _};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::headers;
use super::inbox::Inbox;
use super::publisher::Publisher;
use super::session::Session;
use super::settle::Hold;
use crate::delivery::Letter;
use crate::{BusError, Delivery, Route, Subscription};

/// What the task behind a subscription works on.
pub(super) struct Intake {
    /// The routes, each with its rank.
    pub routes: Vec<(Route, usize)>,
    pub prefetch: u16,
    pub inbox: Inbox,
    pub publisher: Arc<Publisher>,
    /// No more messages are wanted, but those in hand can still be settled.
    pub stopped: CancellationToken,
}

/// What a consumer says: a message, an error, or, at its end, nothing.
type Said = Option<lapin::Result<lapin::message::Delivery>>;
type Consumers = SelectAll<std::pin::Pin<Box<dyn Stream<Item = (usize, Said)> + Send>>>;

impl Intake {
    /// Consumes on this session until it breaks, and says why it did.
    pub(super) async fn serve(self: Arc<Self>, session: Arc<Session>) -> String {
        let why = if self.stopped.is_cancelled() {
            session.broken().await
        } else {
            let (mut consumers, tags) = match self.attach(&session).await {
                Ok(attached) => attached,
                Err(error) => return error.to_string(),
            };
            let broken = session.broken();
            let mut broken = std::pin::pin!(broken);
            tokio::select! {
                () = self.stopped.cancelled() => {
                    self.cancel(&session, tags).await;
                    // Until each has ended; what still comes is dropped, and so handed back.
                    let rest = consumers.for_each(|last| async { drop(self.received(&session, last)) });
                    let _ = tokio::time::timeout(session.bounded.limit, rest).await;
                    broken.await
                }
                why = broken.as_mut() => why,
                why = self.fill(&session, &mut consumers) => why,
            }
        };
        self.inbox.clear();
        why
    }

    /// Starts the consumers.
    async fn attach(&self, session: &Session) -> Result<(Consumers, Vec<ShortString>), BusError> {
        let (channel, bounded) = (&session.channel, &session.bounded);
        // Per consumer, not per channel: each queue gets its own prefetch.
        let qos = channel.basic_qos(self.prefetch, BasicQosOptions { global: false });
        bounded.call(|| "setting the prefetch", qos).await?;
        let mut consumers = Vec::new();
        let mut tags = Vec::new();
        for (index, (route, _)) in self.routes.iter().enumerate() {
            let queue = route.queue();
            let consuming = channel.basic_consume(
                queue.as_str().into(),
                ShortString::default(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            let consumer = bounded
                .call(|| format!("consuming from {queue}"), consuming)
                .await?;
            tags.push(consumer.tag());
            let said = consumer.map(Some).chain(once(async { None }));
            consumers.push(said.map(move |said| (index, said)).boxed());
        }
        Ok((select_all(consumers), tags))
    }

    /// Moves messages into the inbox until a consumer ends.
    async fn fill(&self, session: &Session, consumers: &mut Consumers) -> String {
        while let Some(said) = consumers.next().await {
            match self.received(session, said) {
                Ok((rank, delivery)) => self.inbox.push(rank, delivery),
                Err(why) => return why,
            }
        }
        "all consumers ended".to_owned()
    }

    /// The delivery, with its rank; or why there is none.
    fn received(
        &self,
        session: &Session,
        (index, said): (usize, Said),
    ) -> Result<(usize, Delivery), String> {
        let Some((route, rank)) = self.routes.get(index) else {
            return Err(format!("there is no consumer {index}"));
        };
        match said {
            Some(Ok(message)) => Ok((*rank, self.delivery(session, route, message))),
            Some(Err(error)) => Err(error.to_string()),
            None => Err(format!(
                "the broker ended the consumer of {}",
                route.queue()
            )),
        }
    }

    fn delivery(
        &self,
        session: &Session,
        route: &Route,
        message: lapin::message::Delivery,
    ) -> Delivery {
        let letter = Letter {
            route: route.clone(),
            id: headers::id(&message.properties),
            attempt: headers::attempt(&message.properties),
            body: message.data,
        };
        let hold = Hold {
            acker: message.acker,
            publisher: Arc::clone(&self.publisher),
            limit: session.bounded.limit,
        };
        Delivery::new(letter, Box::new(hold))
    }

    async fn cancel(&self, session: &Session, tags: Vec<ShortString>) {
        for tag in tags {
            let cancel = session
                .channel
                .basic_cancel(tag, BasicCancelOptions::default());
            if let Err(error) = session.bounded.call(|| "ending a consumer", cancel).await {
                tracing::debug!("{error}");
            }
        }
    }
}

/// The consumer's end of an [`Intake`].
pub(super) struct RabbitSubscription {
    pub intake: Arc<Intake>,
    /// Ends the session, on which the broker takes back what was not settled.
    pub _session: DropGuard,
    /// Keeps the bus's connections, on which failed messages are sent on.
    pub _bus: Arc<DropGuard>,
}

#[async_trait]
impl Subscription for RabbitSubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        self.intake.inbox.next().await
    }

    async fn stop(&mut self) {
        self.intake.stopped.cancel();
        self.intake.inbox.stop();
    }
}
