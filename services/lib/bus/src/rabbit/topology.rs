//! What exists at the broker, and how it is declared: the same by everybody, as often as they like.
//!
//! ```text
//!  publish ──▶ pw.work ──▶ pw.job.<zone>.high|normal, pw.snapshot.<n>, pw.change
//!                 │ no queue for the key              │ expired, or handed out too often
//!                 ▼                                   ▼
//!             pw.unrouted ────────▶ pw.dead ◀──── pw.dead ◀── consumers, with the reason
//!                                   (queue)      (exchange)
//!  consumers ──▶ pw.retry.5s|30s|5m ── after the delay, with the key it came with ──▶ pw.work
//!
//!  publish ──▶ pw.progress (exchange, queue): what is too old or too much is dropped
//! ```
//!
//! All queues are quorum queues, also that of progress, which needs to survive nothing: everybody
//! declares it, and the declaration of a classic queue fails while the node that has it is away. Those that work passes through dead-letter at least once: the
//! queue keeps a message until the next one has confirmed it, which needs `reject-publish`.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use portwatch_domain::job::Priority;
use portwatch_domain::target::Zone;

use super::session::Bounded;
use crate::{BusError, RetryDelays, RetryStep, Route};

/// Work goes in here, under its route's key.
pub(super) const WORK: &str = "pw.work";
/// Work whose key no queue is bound to.
pub(super) const UNROUTED: &str = "pw.unrouted";
/// The exchange of the dead, and their queue.
pub(super) const DEAD: &str = "pw.dead";

/// The exchange of progress, and its queue. Not that of work: what finds no queue there goes to the dead.
const PROGRESS: &str = "pw.progress";

/// Where messages of a route go in.
pub(super) const fn exchange_of(route: &Route) -> &'static str {
    if route.is_fleeting() { PROGRESS } else { WORK }
}

/// The exchange of a wait between attempts, and its queue.
pub(super) const fn retry(step: RetryStep) -> &'static str {
    match step {
        RetryStep::First => "pw.retry.5s",
        RetryStep::Second => "pw.retry.30s",
        RetryStep::Later => "pw.retry.5m",
    }
}

/// True for the queue of a wait between attempts.
pub(super) fn is_retry_queue(queue: &str) -> bool {
    RetryStep::ALL.map(retry).contains(&queue)
}

/// A job that waited this long is worth nothing: the next one of its target is due.
const JOB_TIME_TO_LIVE: Duration = Duration::from_mins(15);
/// The most messages in a queue. A full queue of work refuses; the dead queue drops its oldest.
const MAX_LENGTH: i64 = 100_000;
/// The most reports of progress that wait, and for how long: the next of the same job comes after 2 s.
const PROGRESS_MAX_LENGTH: i64 = 10_000;
const PROGRESS_TIME_TO_LIVE: Duration = Duration::from_mins(1);
/// How often work may be handed out and not settled before it is dead.
const WORK_DELIVERY_LIMIT: i64 = 10;
/// How often a dead letter may be looked at; see [`super::graveyard`].
pub(super) const DEAD_DELIVERY_LIMIT: i64 = 50;

/// What has to be there.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    pub snapshot_shards: u16,
    pub zones: Vec<Zone>,
    pub retry_delays: RetryDelays,
}

impl Topology {
    /// Adds the zones that these routes need.
    pub(super) fn also_zones_of(&mut self, routes: &[Route]) {
        for zone in routes.iter().filter_map(Route::zone) {
            if !self.zones.contains(zone) {
                self.zones.push(zone.clone());
            }
        }
    }

    /// Declares all of it.
    pub(super) async fn declare(
        &self,
        channel: &Channel,
        bounded: &Bounded,
    ) -> Result<(), BusError> {
        let broker = Declarer { channel, bounded };
        // The dead queue comes first: nothing may die before it exists.
        broker.exchange(DEAD, ExchangeKind::Topic, None).await?;
        broker
            .exchange(UNROUTED, ExchangeKind::Fanout, None)
            .await?;
        broker.queue(DEAD, dead_queue()).await?;
        broker.bind(DEAD, DEAD, "#").await?;
        broker.bind(DEAD, UNROUTED, "").await?;
        broker
            .exchange(WORK, ExchangeKind::Direct, Some(UNROUTED))
            .await?;
        for step in RetryStep::ALL {
            let name = retry(step);
            broker.exchange(name, ExchangeKind::Fanout, None).await?;
            let delay = self.retry_delays.of(step);
            broker.queue(name, retry_queue(delay)).await?;
            broker.bind(name, name, "").await?;
        }
        for zone in &self.zones {
            declare_zone(zone, channel, bounded).await?;
        }
        for shard in 0..self.snapshot_shards {
            broker.work_queue(&Route::Snapshot { shard }).await?;
        }
        broker.work_queue(&Route::Change).await?;
        broker
            .exchange(PROGRESS, ExchangeKind::Fanout, None)
            .await?;
        broker.queue(PROGRESS, progress_queue()).await?;
        broker.bind(PROGRESS, PROGRESS, "").await
    }
}

/// Declares a zone's two queues of jobs.
pub(super) async fn declare_zone(
    zone: &Zone,
    channel: &Channel,
    bounded: &Bounded,
) -> Result<(), BusError> {
    let broker = Declarer { channel, bounded };
    for priority in [Priority::High, Priority::Normal] {
        let zone = zone.clone();
        broker.work_queue(&Route::Job { zone, priority }).await?;
    }
    Ok(())
}

/// Arguments of a queue, named as the broker names them.
struct Arguments(FieldTable);

impl Arguments {
    fn quorum() -> Self {
        Self(FieldTable::default()).text("x-queue-type", "quorum")
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.with(name, AMQPValue::LongString(value.into()))
    }

    fn number(self, name: &str, value: i64) -> Self {
        self.with(name, AMQPValue::LongLongInt(value))
    }

    fn with(mut self, name: &str, value: AMQPValue) -> Self {
        self.0.insert(name.into(), value);
        self
    }

    fn time_to_live(self, time: Duration) -> Self {
        let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.number("x-message-ttl", milliseconds)
    }

    /// Dead-letters to this exchange and loses nothing on the way.
    fn passing_on_to(self, exchange: &str) -> Self {
        self.text("x-dead-letter-exchange", exchange)
            .text("x-dead-letter-strategy", "at-least-once")
            .text("x-overflow", "reject-publish")
            .number("x-max-length", MAX_LENGTH)
    }
}

fn dead_queue() -> Arguments {
    Arguments::quorum()
        .number("x-max-length", MAX_LENGTH)
        .text("x-overflow", "drop-head")
        .number("x-delivery-limit", DEAD_DELIVERY_LIMIT)
}

/// Passes nothing on: what goes out of it unread is gone.
fn progress_queue() -> Arguments {
    Arguments::quorum()
        .number("x-max-length", PROGRESS_MAX_LENGTH)
        .text("x-overflow", "drop-head")
        .number("x-delivery-limit", WORK_DELIVERY_LIMIT)
        .time_to_live(PROGRESS_TIME_TO_LIVE)
}

fn retry_queue(delay: Duration) -> Arguments {
    // No x-dead-letter-routing-key: the key it came with leads it back to its queue.
    Arguments::quorum().time_to_live(delay).passing_on_to(WORK)
}

fn work_queue(route: &Route) -> Arguments {
    let arguments = Arguments::quorum()
        .number("x-delivery-limit", WORK_DELIVERY_LIMIT)
        .passing_on_to(DEAD)
        .text("x-queue-leader-locator", "balanced");
    match route {
        Route::Job { .. } => arguments.time_to_live(JOB_TIME_TO_LIVE),
        Route::Snapshot { .. } => {
            arguments.with("x-single-active-consumer", AMQPValue::Boolean(true))
        }
        Route::Change | Route::Progress => arguments,
    }
}

struct Declarer<'a> {
    channel: &'a Channel,
    bounded: &'a Bounded,
}

impl Declarer<'_> {
    async fn exchange(
        &self,
        name: &str,
        kind: ExchangeKind,
        alternate: Option<&str>,
    ) -> Result<(), BusError> {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let arguments = Arguments(FieldTable::default());
        let arguments = match alternate {
            Some(exchange) => arguments.text("alternate-exchange", exchange),
            None => arguments,
        };
        let declared = self
            .channel
            .exchange_declare(name.into(), kind, options, arguments.0);
        let what = || format!("declaring the exchange {name}");
        self.bounded.call(what, declared).await
    }

    async fn queue(&self, name: &str, arguments: Arguments) -> Result<(), BusError> {
        let options = QueueDeclareOptions::durable();
        let declared = self
            .channel
            .queue_declare(name.into(), options, arguments.0);
        let what = || format!("declaring the queue {name}");
        self.bounded.call(what, declared).await.map(drop)
    }

    async fn bind(&self, queue: &str, exchange: &str, key: &str) -> Result<(), BusError> {
        let bound = self.channel.queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        let what = || format!("binding the queue {queue} to {exchange}");
        self.bounded.call(what, bound).await
    }

    async fn work_queue(&self, route: &Route) -> Result<(), BusError> {
        let queue = route.queue();
        self.queue(&queue, work_queue(route)).await?;
        self.bind(&queue, WORK, &route.to_string()).await
    }
}
