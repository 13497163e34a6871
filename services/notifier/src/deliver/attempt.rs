//! One attempt: what is sent, and what is recorded of it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use portwatch_domain::notification::Content;
use portwatch_domain::notification::retry::{self, Failure, Next};
use portwatch_schemas::decode_content;
use portwatch_store::Store;
use portwatch_store::notifications::{Attempt, DueDelivery, EndedAttempt, NextStep};
use uuid::Uuid;

use crate::channels::{Failed, Message, Sent};
use crate::{Channel, Deps};

/// A message about the same answers one that is not older.
const SAME_THREAD: SignedDuration = SignedDuration::from_mins(15);

/// An attempt that has ended.
pub(super) struct Ended {
    pub attempt: EndedAttempt,
    /// How long the receiver wants to be left alone.
    pub rest: Duration,
    /// The receiver wants no more.
    pub gone: bool,
}

/// Makes an attempt.
pub(super) async fn attempt(deps: Deps, due: DueDelivery) -> Ended {
    let started = Instant::now();
    let result = match deps
        .channels
        .iter()
        .find(|channel| channel.name() == due.channel)
    {
        Some(channel) => send(&deps.store, channel, &due).await,
        None => Err(Failed::permanent("no such channel".to_owned())),
    };
    let latency = started.elapsed();
    metrics::histogram!("portwatch_delivery_attempt_seconds", "channel" => due.channel.clone())
        .record(latency.as_secs_f64());
    let failed = result.as_ref().err();
    let rest = failed.map(Failed::rest).unwrap_or_default();
    let gone = failed.is_some_and(|failed| failed.failure == Failure::Gone);
    let attempt = EndedAttempt {
        delivery: due.id,
        lease: due.lease,
        attempt: outcome(&due, result, latency),
    };
    Ended {
        attempt,
        rest,
        gone,
    }
}

async fn send(store: &Store, channel: &Channel, due: &DueDelivery) -> Result<Sent, Failed> {
    let (meta, content) = decode_content(&due.body).map_err(|error| {
        Failed::permanent(format!("the stored notification is unreadable: {error}"))
    })?;
    let at = Timestamp::now();
    let thread = match &content {
        Content::Changes(notification) if channel.threads => {
            let key = notification.order_key();
            let known = store.thread(channel.name(), &key, at - SAME_THREAD).await;
            known.unwrap_or_else(|error| {
                tracing::warn!(channel = channel.name(), %error, "a message begins a new thread");
                None
            })
        }
        _ => None,
    };
    let message = Message {
        delivery: due.id,
        at,
        trace: meta.trace,
        content,
        thread: thread.clone(),
    };
    let sent = channel.send(message).await?;
    Ok(Sent {
        // All answer the first one.
        thread: thread.or(sent.thread),
        ..sent
    })
}

/// What is recorded of an attempt, and what follows it.
fn outcome(due: &DueDelivery, result: Result<Sent, Failed>, latency: Duration) -> Attempt {
    let at = Timestamp::now();
    let (word, attempt) = match result {
        Ok(sent) => (
            "delivered",
            Attempt {
                at,
                latency: SignedDuration::ZERO,
                status: sent.status,
                error: None,
                answer: sent.answer,
                thread: sent.thread,
                next: NextStep::Delivered,
            },
        ),
        Err(failed) => {
            let next = next_step(due, &failed, at);
            let given_up = next == NextStep::GivenUp;
            (
                if given_up { "given_up" } else { "failed" },
                Attempt {
                    at,
                    latency: SignedDuration::ZERO,
                    status: failed.status,
                    error: Some(failed.error),
                    answer: failed.answer,
                    thread: None,
                    next,
                },
            )
        }
    };
    tracing::debug!(channel = due.channel, delivery = %due.id, outcome = word, "attempted");
    metrics::counter!("portwatch_delivery_attempt_total", "channel" => due.channel.clone(), "outcome" => word)
        .increment(1);
    Attempt {
        latency: SignedDuration::try_from(latency).unwrap_or(SignedDuration::MAX),
        ..attempt
    }
}

/// What follows a failure; it is told in the log.
fn next_step(due: &DueDelivery, failed: &Failed, at: Timestamp) -> NextStep {
    let (channel, error) = (&due.channel, &failed.error);
    let attempts = due.attempts + 1;
    match retry::after(attempts, &failed.failure, at, spread()) {
        Next::Retry(next) => {
            tracing::warn!(channel, delivery = %due.id, attempts, error, %next, "delivery failed");
            NextStep::RetryAt(next)
        }
        Next::GiveUp => {
            let permanent = !matches!(failed.failure, Failure::Temporary { .. });
            tracing::error!(channel, delivery = %due.id, attempts, error, permanent, "delivery given up");
            NextStep::GivenUp
        }
    }
}

/// A number from 0 to 1 that spreads retries.
fn spread() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
