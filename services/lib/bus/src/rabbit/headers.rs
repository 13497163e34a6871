//! What travels beside a message: our headers, and those that the broker adds to the dead.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use uuid::Uuid;

use super::topology;
use crate::DeadLetter;
use crate::delivery::Letter;

/// Which attempt a message is on, from 1; absent on the first.
const ATTEMPT: &str = "x-portwatch-attempt";
/// Why a message is dead, or is tried again.
const REASON: &str = "x-portwatch-reason";
/// The queue a message died in.
const QUEUE: &str = "x-portwatch-queue";
/// How often a dead message was tried.
const ATTEMPTS: &str = "x-portwatch-attempts";
/// When a message died, RFC 3339.
const DIED_AT: &str = "x-portwatch-died-at";
/// The broker's list of deaths, the latest first.
const DEATHS: &str = "x-death";
/// How often a quorum queue has handed a message out before.
const DELIVERY_COUNT: &str = "x-delivery-count";

const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Delivery mode 2: on disk.
const PERSISTENT: u8 = 2;

/// Properties of a message on its first way.
pub(super) fn new(id: Option<Uuid>) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(u64::try_from(Timestamp::now().as_second()).unwrap_or_default());
    match id {
        Some(id) => properties.with_message_id(id.to_string().into()),
        None => properties,
    }
}

/// Properties of a message that is tried again.
pub(super) fn retried(letter: &Letter, reason: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    set_number(&mut headers, ATTEMPT, letter.attempt.saturating_add(1));
    set_text(&mut headers, REASON, reason);
    new(letter.id).with_headers(headers)
}

/// Properties of a message that a consumer gave up.
pub(super) fn dead(letter: &Letter, reason: &str) -> BasicProperties {
    let queue = letter.route.queue();
    died(
        letter.id,
        reason,
        Some(&queue),
        letter.attempt,
        Timestamp::now(),
    )
}

/// Properties of a dead letter that is put to the end of the dead queue as it was.
pub(super) fn still_dead(letter: &DeadLetter, id: Option<Uuid>) -> BasicProperties {
    let died_at = letter.died_at.unwrap_or_else(Timestamp::now);
    let queue = letter.queue.as_deref();
    died(id, &letter.reason, queue, letter.attempts, died_at)
}

fn died(
    id: Option<Uuid>,
    reason: &str,
    queue: Option<&str>,
    attempts: u32,
    at: Timestamp,
) -> BasicProperties {
    let mut headers = FieldTable::default();
    set_text(&mut headers, REASON, reason);
    if let Some(queue) = queue {
        set_text(&mut headers, QUEUE, queue);
    }
    set_number(&mut headers, ATTEMPTS, attempts);
    set_text(&mut headers, DIED_AT, &at.to_string());
    new(id).with_headers(headers)
}

fn set_text(headers: &mut FieldTable, name: &str, value: &str) {
    headers.insert(name.into(), AMQPValue::LongString(value.into()));
}

fn set_number(headers: &mut FieldTable, name: &str, value: u32) {
    headers.insert(name.into(), AMQPValue::LongLongInt(value.into()));
}

/// The message's id, if it has one of ours.
pub(super) fn id(properties: &BasicProperties) -> Option<Uuid> {
    properties.message_id().as_ref()?.as_str().parse().ok()
}

/// Which attempt a message is on. A count that makes no sense is a first attempt.
pub(super) fn attempt(properties: &BasicProperties) -> u32 {
    number(properties, ATTEMPT)
        .and_then(|attempt| u32::try_from(attempt).ok())
        .map_or(1, |attempt| attempt.max(1))
}

/// How often a message has been handed out before.
pub(super) fn delivery_count(properties: &BasicProperties) -> i64 {
    number(properties, DELIVERY_COUNT).unwrap_or_default()
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match header(properties, name)? {
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortShortUInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::ShortUInt(n) => Some((*n).into()),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongUInt(n) => Some((*n).into()),
        AMQPValue::LongLongInt(n) => Some(*n),
        _ => None,
    }
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// What is known of a message found in the dead queue.
pub(super) fn dead_letter(key: &str, properties: &BasicProperties, body: Vec<u8>) -> DeadLetter {
    let death = death(properties);
    let is_new_death = |death: &Death| !topology::is_retry_queue(&death.queue);
    let attempt = attempt(properties);
    let (reason, queue, attempts, died_at) = if let Some(reason) =
        header(properties, REASON).and_then(text)
        && let Some(died_at) = header(properties, DIED_AT).and_then(text)
    {
        let queue = header(properties, QUEUE).and_then(text);
        let attempts = number(properties, ATTEMPTS).and_then(|n| u32::try_from(n).ok());
        (
            reason,
            queue,
            attempts.unwrap_or_default(),
            died_at.parse().ok(),
        )
    } else if let Some(death) = death.filter(is_new_death) {
        let tried = if death.reason == "delivery_limit" {
            attempt
        } else {
            attempt - 1
        };
        (death.words(), Some(death.queue), tried, death.at)
    } else {
        let published = *properties.timestamp();
        (
            DeadLetter::unroutable(key),
            None,
            attempt - 1,
            published.and_then(at),
        )
    };
    DeadLetter {
        id: id(properties).unwrap_or_else(|| DeadLetter::derived_id(key, &body)),
        key: key.to_owned(),
        route: key.parse().ok(),
        queue,
        reason,
        attempts,
        died_at,
        body,
    }
}

fn at(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

/// The latest entry of the broker's own list.
struct Death {
    reason: String,
    queue: String,
    at: Option<Timestamp>,
}

impl Death {
    fn words(&self) -> String {
        let Self { reason, queue, .. } = self;
        match reason.as_str() {
            "expired" => format!("expired: nobody took it out of {queue} in time"),
            "delivery_limit" => {
                format!("delivery limit: handed out of {queue} too often without being settled")
            }
            "maxlen" => format!("dropped: {queue} was full"),
            "rejected" => format!("rejected by a consumer of {queue}"),
            other => format!("dead-lettered by the broker from {queue}: {other}"),
        }
    }
}

fn death(properties: &BasicProperties) -> Option<Death> {
    let AMQPValue::FieldArray(deaths) = header(properties, DEATHS)? else {
        return None;
    };
    let AMQPValue::FieldTable(latest) = deaths.as_slice().first()? else {
        return None;
    };
    let latest = latest.inner();
    Some(Death {
        reason: latest.get("reason").and_then(text)?,
        queue: latest.get("queue").and_then(text)?,
        at: match latest.get("time") {
            Some(AMQPValue::Timestamp(seconds)) => at(*seconds),
            _ => None,
        },
    })
}
