//! The conformance suite on a real RabbitMQ, and what only that one promises.

#![expect(clippy::unwrap_used, reason = "tests")]

mod failures;
mod graves;
mod proxy;
mod vhost;

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::publisher::Parcel;
use super::{Rabbit, RabbitSettings, headers, topology};
use crate::conformance::rig::{DELAYS, SHARDS, SOON};
use crate::conformance::{self, Rig};
use crate::{Bus, PublishError, Route, Subscription};
use vhost::Vhost;

/// A bus on a virtual host of its own.
pub(crate) struct OnBroker {
    bus: Arc<Rabbit>,
    vhost: Vhost,
}

impl OnBroker {
    pub(crate) async fn start() -> Self {
        let vhost = Vhost::create().await;
        let bus = Arc::new(Rabbit::new(settings(vhost.url())).unwrap());
        Self { bus, vhost }
    }

    pub(crate) fn bus(&self) -> Bus {
        Arc::clone(&self.bus) as Bus
    }

    pub(crate) fn connect(&self) -> Bus {
        Arc::new(Rabbit::new(settings(self.vhost.url())).unwrap())
    }

    pub(crate) async fn inject(
        &self,
        route: &Route,
        id: Option<Uuid>,
        body: Vec<u8>,
    ) -> Result<(), PublishError> {
        let parcel = Parcel {
            exchange: topology::exchange_of(route),
            key: &route.to_string(),
            zone: None,
            properties: headers::new(id),
            body: &body,
        };
        self.bus.publisher.send(&parcel).await
    }

    pub(crate) async fn filled(
        &self,
        routes: &[Route],
        prefetch: u16,
        messages: usize,
    ) -> Box<dyn Subscription> {
        let subscription = self.bus.intake(routes, prefetch).unwrap();
        while subscription.intake.inbox.len() < messages {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Box::new(subscription)
    }
}

fn settings(url: String) -> RabbitSettings {
    RabbitSettings {
        url,
        name: "portwatch test".to_owned(),
        snapshot_shards: SHARDS,
        retry_delays: DELAYS,
        ..RabbitSettings::default()
    }
}

macro_rules! on_broker {
    ($case:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs RabbitMQ: run ./tests/run"]
        async fn $case() {
            let rig = Rig::OnBroker(OnBroker::start().await);
            let case = conformance::$case(&rig);
            tokio::time::timeout(SOON, case).await.unwrap();
            rig.end().await;
        }
    };
}

conformance::for_each_case!(on_broker);
