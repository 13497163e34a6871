//! A bus under test, and what the cases need beside its public face.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use portwatch_domain::job::{Job, JobHost, JobId, Priority};
use portwatch_domain::ports::PortSet;
use portwatch_domain::target::{TargetId, Zone};
use portwatch_schemas::{Meta, TraceParent, encode};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::in_process::InProcess;
use crate::rabbit::tests::OnBroker;
use crate::{Bus, DeadLetter, PublishError, RetryDelays, Route, Subscription};

/// Long enough for a slow machine, short enough to notice.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) const DELAYS: RetryDelays = RetryDelays {
    first: Duration::from_millis(100),
    second: Duration::from_millis(200),
    later: Duration::from_millis(300),
};

/// How many snapshot queues the rigs have.
pub(crate) const SHARDS: u16 = 2;

pub(crate) enum Rig {
    InProcess(Arc<InProcess>),
    OnBroker(OnBroker),
}

pub(crate) type Posted = JoinHandle<Result<(), PublishError>>;

impl Rig {
    pub(crate) fn in_process() -> Self {
        Self::InProcess(Arc::new(InProcess::new(SHARDS, DELAYS)))
    }

    pub(crate) fn bus(&self) -> Bus {
        match self {
            Self::InProcess(bus) => Arc::clone(bus) as Bus,
            Self::OnBroker(rig) => rig.bus(),
        }
    }

    /// Another process's bus on the same broker; in one process there is but one.
    pub(crate) fn second_bus(&self) -> Bus {
        match self {
            Self::InProcess(_) => self.bus(),
            Self::OnBroker(rig) => rig.connect(),
        }
    }

    /// Puts anything at all on the bus. Returns once it is in its queue.
    pub(crate) async fn inject(&self, route: &Route, id: Option<Uuid>, body: Vec<u8>) -> Posted {
        match self {
            Self::InProcess(bus) => {
                let (bus, route) = (Arc::clone(bus), route.clone());
                let mut sent = Box::pin(async move { bus.send(&route, id, body).await });
                // The first poll puts it into the queue.
                match (&mut sent).now_or_never() {
                    Some(outcome) => tokio::spawn(async { outcome }),
                    None => tokio::spawn(sent),
                }
            }
            Self::OnBroker(rig) => {
                let outcome = rig.inject(route, id, body).await;
                tokio::spawn(async { outcome })
            }
        }
    }

    /// Posts job number `n`, under the id `n`.
    pub(crate) async fn post(&self, route: &Route, n: u128) -> Posted {
        self.inject(route, Some(Uuid::from_u128(n)), job(n)).await
    }

    /// A subscription to which the bus has already brought this many messages, as far as it
    /// fetches any ahead.
    pub(crate) async fn filled(
        &self,
        routes: &[Route],
        prefetch: u16,
        messages: usize,
    ) -> Box<dyn Subscription> {
        match self {
            Self::InProcess(_) => self.bus().subscribe(routes, prefetch).await.unwrap(),
            Self::OnBroker(rig) => rig.filled(routes, prefetch, messages).await,
        }
    }

    /// The dead letters, once there are this many.
    pub(crate) async fn dead(&self, count: usize) -> Vec<DeadLetter> {
        let bus = self.bus();
        loop {
            let dead = bus.dead_letters(usize::MAX).await.unwrap();
            if dead.len() >= count {
                return dead;
            }
            // The broker moves expired and refused messages when it gets to it.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// True for the bus over RabbitMQ.
    pub(crate) const fn is_on_broker(&self) -> bool {
        matches!(self, Self::OnBroker(_))
    }

    pub(crate) async fn end(self) {
        self.bus().close().await;
    }
}

pub(crate) fn high() -> Route {
    "job.default.high".parse().unwrap()
}

pub(crate) fn normal() -> Route {
    "job.default.normal".parse().unwrap()
}

/// The bytes of a good job message with the id `n`.
pub(crate) fn job(n: u128) -> Vec<u8> {
    let now = Timestamp::UNIX_EPOCH;
    let job = Job {
        id: JobId(Uuid::from_u128(n)),
        target: TargetId::derive("test", "bus"),
        run: 1,
        index: 0,
        zone: Zone::default(),
        priority: Priority::Normal,
        created_at: now,
        deadline: now + Duration::from_mins(1),
        rate: 100,
        hosts: vec![JobHost {
            ip: [127, 0, 0, 1].into(),
            name: None,
            known_open: PortSet::empty(),
        }],
        ports: PortSet::all_tcp(),
        exclude: Vec::new(),
    };
    let meta = Meta {
        id: Uuid::from_u128(n),
        source: "/portwatch/test".to_owned(),
        time: now,
        trace: TraceParent::new(n, 1),
    };
    encode(&meta, &job).unwrap()
}
