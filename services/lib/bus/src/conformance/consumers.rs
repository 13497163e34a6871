//! Cases about the consume loop.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portwatch_domain::job::Job;
use portwatch_schemas::MAX_MESSAGE_BYTES;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::rig::{DELAYS, Rig, SOON, high, job};
use crate::{Bus, BusError, Consumer, HandlerError, MAX_ATTEMPTS, Received};

/// A consumer that runs, and how to end it.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), BusError>>,
}

impl Running {
    fn start<H, Fut>(bus: Bus, concurrency: u16, handler: H) -> Self
    where
        H: Fn(Received<Job>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        Self::with_grace(bus, concurrency, SOON, handler)
    }

    fn with_grace<H, Fut>(bus: Bus, concurrency: u16, grace: Duration, handler: H) -> Self
    where
        H: Fn(Received<Job>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let consumer = Consumer {
            bus,
            routes: vec![high()],
            concurrency,
            grace,
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(consumer.run(handler, shutdown.clone()));
        Self { shutdown, task }
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn number(received: &Received<Job>) -> u128 {
    received.message.id.0.as_u128()
}

pub(crate) async fn retried_with_count_and_delay_then_dead(rig: &Rig) {
    let (tell, mut told) = mpsc::unbounded_channel();
    let running = Running::start(rig.bus(), 1, move |received| {
        tell.send((received.attempt, Instant::now())).unwrap();
        async { Err(HandlerError::Retry("the database is away".to_owned())) }
    });
    let posted = rig.post(&high(), 7).await;
    let mut times = Vec::new();
    for expected in 1..=MAX_ATTEMPTS {
        let (attempt, at) = told.recv().await.unwrap();
        assert_eq!(attempt, expected);
        times.push(at);
    }
    let delays = [DELAYS.first, DELAYS.second, DELAYS.later, DELAYS.later];
    for (pair, delay) in times.windows(2).zip(delays) {
        assert!(pair[1] - pair[0] >= delay, "{:?}", pair[1] - pair[0]);
    }
    let dead = rig.dead(1).await;
    posted.await.unwrap().unwrap();
    assert_eq!(
        dead[0].reason,
        "failed 5 times, the last time with: the database is away"
    );
    assert_eq!(dead[0].attempts, MAX_ATTEMPTS);
    assert_eq!(dead[0].id.as_u128(), 7);
    running.end().await;
    assert!(told.recv().await.is_none(), "it was tried a sixth time");
}

pub(crate) async fn bad_messages_are_dead_and_the_consumer_goes_on(rig: &Rig) {
    let wrong_type = String::from_utf8(job(2)).unwrap();
    let wrong_type = wrong_type.replace("io.portwatch.job.v1", "io.portwatch.snapshot.v1");
    let (zero, one) = (Some(Uuid::from_u128(100)), Some(Uuid::from_u128(101)));
    rig.inject(&high(), zero, b"{not json".to_vec()).await;
    rig.inject(&high(), one, wrong_type.into_bytes()).await;
    let large = vec![b' '; MAX_MESSAGE_BYTES + 1];
    rig.inject(&high(), None, large).await;
    rig.post(&high(), 3).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let running = Running::start(rig.bus(), 1, move |received| {
        tell.send(number(&received)).unwrap();
        async { Err(HandlerError::Dead("no such target".to_owned())) }
    });
    assert_eq!(told.recv().await, Some(3));
    let dead = rig.dead(4).await;
    let reasons: Vec<&str> = dead.iter().map(|letter| letter.reason.as_str()).collect();
    assert!(reasons[0].contains("line 1 column 2"), "{reasons:?}");
    assert!(reasons[1].contains("expected io.portwatch.job.v1"));
    assert_eq!(
        reasons[2],
        "message of 262145 bytes is over the limit of 262144"
    );
    assert_eq!(reasons[3], "no such target");
    assert_eq!(
        dead[2].body.len(),
        MAX_MESSAGE_BYTES,
        "its beginning is kept"
    );
    // One without an id can be found by the id that was made for it.
    assert!(rig.bus().resend_dead(dead[2].id).await.unwrap());
    let dead = rig.dead(4).await;
    assert!(dead[3].reason.contains("EOF"), "{}", dead[3].reason);
    running.end().await;
}

pub(crate) async fn a_panic_is_a_retry(rig: &Rig) {
    let (tell, mut told) = mpsc::unbounded_channel();
    let running = Running::start(rig.bus(), 1, move |received: Received<Job>| {
        assert!(received.attempt > 1, "the first attempt always fails");
        tell.send(received.attempt).unwrap();
        async { Ok(()) }
    });
    rig.post(&high(), 1).await.await.unwrap().unwrap();
    assert_eq!(told.recv().await, Some(2));
    running.end().await;
    assert!(rig.dead(0).await.is_empty());
}

pub(crate) async fn concurrency_is_used_and_bounded(rig: &Rig) {
    const AT_ONCE: usize = 3;
    let (running_now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let handler = {
        let (running_now, most, gate) = (running_now.clone(), most.clone(), gate.clone());
        move |_| {
            let (running_now, most, gate) = (running_now.clone(), most.clone(), gate.clone());
            let tell = tell.clone();
            async move {
                let now = running_now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                tell.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
                running_now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        }
    };
    for n in 0..9 {
        rig.post(&high(), n).await;
    }
    let running = Running::start(rig.bus(), 3, handler);
    for _ in 0..AT_ONCE {
        told.recv().await.unwrap();
    }
    for _ in AT_ONCE..9 {
        gate.add_permits(1);
        told.recv().await.unwrap();
    }
    gate.add_permits(AT_ONCE);
    running.end().await;
    assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
}

pub(crate) async fn shutdown_waits_for_handlers(rig: &Rig) {
    let gate = Arc::new(Semaphore::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let opened = Arc::clone(&gate);
    let running = Running::start(rig.bus(), 1, move |received| {
        tell.send(number(&received)).unwrap();
        let opened = Arc::clone(&opened);
        async move {
            opened.acquire().await.unwrap().forget();
            Ok(())
        }
    });
    let first = rig.post(&high(), 1).await;
    let _second = rig.post(&high(), 2).await;
    assert_eq!(told.recv().await, Some(1));
    running.shutdown.cancel();
    gate.add_permits(1);
    running.end().await;
    first.await.unwrap().unwrap();
    // The second was never begun, and somebody else gets it.
    assert!(told.recv().await.is_none());
    let mut other = rig.second_bus().subscribe(&[high()], 2).await.unwrap();
    let left = other.next().await.unwrap();
    assert_eq!(left.id, Some(Uuid::from_u128(2)));
    left.ack().await;
}

pub(crate) async fn shutdown_hands_back_after_the_grace(rig: &Rig) {
    let (tell, mut told) = mpsc::unbounded_channel();
    let grace = Duration::from_millis(50);
    let running = Running::with_grace(rig.bus(), 1, grace, move |received| {
        tell.send(number(&received)).unwrap();
        std::future::pending()
    });
    rig.post(&high(), 1).await;
    assert_eq!(told.recv().await, Some(1));
    running.end().await;
    let mut other = rig.second_bus().subscribe(&[high()], 1).await.unwrap();
    let left = other.next().await.unwrap();
    assert_eq!((left.id, left.attempt), (Some(Uuid::from_u128(1)), 1));
    left.ack().await;
}

pub(crate) async fn two_consumers_share_without_duplicates(rig: &Rig) {
    const MESSAGES: u128 = 200;
    let (tell, mut told) = mpsc::unbounded_channel();
    let both = [rig.bus(), rig.second_bus()].map(|bus| {
        let tell = tell.clone();
        Running::start(bus, 4, move |received| {
            tell.send(number(&received)).unwrap();
            async { Ok(()) }
        })
    });
    drop(tell);
    for n in 0..MESSAGES {
        rig.post(&high(), n).await;
    }
    let mut numbers = Vec::new();
    for _ in 0..MESSAGES {
        numbers.push(told.recv().await.unwrap());
    }
    for running in both {
        running.end().await;
    }
    assert!(told.recv().await.is_none(), "one was handled twice");
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..MESSAGES));
}
