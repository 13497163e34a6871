//! A notifier that is killed again and again, at every step of sending, while changes go on: each is told, and what is
//! told twice has the same id and says the same.
//!
//! `PORTWATCH_TEST_KILLS` says how often (20).

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::Timestamp;
use portwatch_bus::rabbit::{self, RabbitSettings};
use portwatch_bus::{Bus, Route};
use portwatch_domain::change::{About, ChangeId, Changes};
use portwatch_domain::notification::Notification;
use portwatch_domain::ports::Port;
use portwatch_schemas::{decode, encode};
use portwatch_tests::{Portwatch, SECRET, Servers, until};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

const EXAMPLE: &str = include_str!("../../schemas/examples/change.v1.port-opened.json");

/// The time from one change to the next.
const EVERY: Duration = Duration::from_millis(15);

/// Hosts that the changes are about, in turn.
const HOSTS: u32 = 1000;

/// Where in the sending of a delivery the notifier is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// While it starts, and so many milliseconds later.
    Started(u64),
    /// The receiver has the request and has not answered.
    Asked,
    /// The answer is on its way, and is not on record for so many milliseconds.
    Answered(u64),
    /// The receiver has refused, and the next attempt is not on record.
    Refused,
    /// So many milliseconds after deliveries began.
    Within(u64),
}

const STEPS: [Step; 10] = [
    Step::Asked,
    Step::Answered(0),
    Step::Within(40),
    Step::Refused,
    Step::Answered(2),
    Step::Started(150),
    Step::Within(160),
    Step::Answered(5),
    Step::Started(600),
    Step::Within(7),
];

/// What the receiver is to do with the next request, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Answer,
    HoldBack,
    Refuse,
}

#[derive(Clone)]
struct Receiver {
    bodies: Arc<Mutex<HashMap<String, Vec<Bytes>>>>,
    order: Arc<Mutex<Order>>,
    /// How many requests have come and were dealt with as ordered.
    came: watch::Sender<u64>,
}

impl Receiver {
    async fn start() -> (Self, SocketAddr) {
        let receiver = Self {
            bodies: Arc::default(),
            order: Arc::new(Mutex::new(Order::Answer)),
            came: watch::Sender::new(0),
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/", post(take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (receiver, address)
    }

    /// Gives this order and waits until it was carried out, or for a while: with all that is due on lease to those
    /// who died, nothing comes.
    async fn carried_out(&self, order: Order) {
        let mut came = self.came.subscribe();
        came.mark_unchanged();
        *self.order.lock().unwrap() = order;
        let _ = tokio::time::timeout(Duration::from_secs(3), came.changed()).await;
        *self.order.lock().unwrap() = Order::Answer;
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    verifier.verify(&body, &headers).unwrap();
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let order = std::mem::replace(&mut *receiver.order.lock().unwrap(), Order::Answer);
    let note = || receiver.came.send_modify(|came| *came += 1);
    if order == Order::Refuse {
        note();
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    receiver
        .bodies
        .lock()
        .unwrap()
        .entry(id)
        .or_default()
        .push(body);
    note();
    if order == Order::HoldBack {
        std::future::pending::<()>().await;
    }
    StatusCode::OK
}

fn settings(folder: &Path, servers: &Servers, receiver: SocketAddr) -> String {
    let (broker, store) = (servers.broker(), servers.store());
    let mut text = String::new();
    writeln!(
        text,
        "[runtime]\nlisten = '127.0.0.1:0'\n[broker]\nurl = '{broker}'\n[store]\nurl = '{store}'\n\
         [notifier]\nallow = '127.0.0.1'\n[notifier.webhook]\nurl = 'http://{receiver}/'\nsecret = '{SECRET}'"
    )
    .unwrap();
    let path = folder.join("portwatch.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The `number`th change, and the id of its delivery.
fn change(number: u32) -> (Uuid, Vec<u8>, String) {
    let (mut meta, mut changes) = decode::<Changes>(EXAMPLE.as_bytes()).unwrap();
    let host = Ipv4Addr::new(127, 93, 0, 0).to_bits() + number % HOSTS;
    let address = IpAddr::from(Ipv4Addr::from_bits(host));
    let target = changes.target().unwrap().id;
    if let About::Host { ip, .. } = &mut changes.about {
        *ip = address;
    }
    changes.changes[0].id =
        ChangeId::of_port(target, address, Port::tcp(18080), u64::from(number) + 1);
    meta.id = changes.id();
    let body = encode(&meta, &changes).unwrap();
    let notification = Notification::of(changes, Timestamp::now()).unwrap();
    (
        meta.id,
        body,
        notification.delivery_id("webhook").to_string(),
    )
}

/// Tells changes until it is asked to stop; returns the ids of their deliveries.
async fn tell(bus: Bus, mut stop: watch::Receiver<bool>) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    let mut clock = tokio::time::interval(EVERY);
    for number in 0.. {
        tokio::select! {
            _ = clock.tick() => {}
            _ = stop.changed() => break,
        }
        let (id, body, delivery) = change(number);
        // It connects in the background.
        until("the change to be taken by the broker", || async {
            bus.publish(&Route::Change, id, body.clone()).await.ok()
        })
        .await;
        told.insert(delivery);
    }
    told
}

async fn kill_at(step: Step, config: &str, receiver: &Receiver) {
    let notifier = Portwatch::start(&["notifier", "--config", config], &[]);
    let pause = |millis| tokio::time::sleep(Duration::from_millis(millis));
    match step {
        Step::Started(millis) => pause(millis).await,
        Step::Asked => receiver.carried_out(Order::HoldBack).await,
        Step::Refused => receiver.carried_out(Order::Refuse).await,
        Step::Answered(millis) | Step::Within(millis) => {
            receiver.carried_out(Order::Answer).await;
            pause(millis).await;
        }
    }
    notifier.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn nothing_is_lost_and_repeats_have_the_same_id_wherever_it_is_killed() {
    let kills = std::env::var("PORTWATCH_TEST_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let servers = Servers::make();
    let folder = TempDir::new().unwrap();
    let (receiver, address) = Receiver::start().await;
    let config = settings(folder.path(), &servers, address);
    let migrated = Portwatch::output(&["migrate", "--config", &config], &[]).await;
    assert!(migrated.status.success());
    let url = servers.broker();
    let bus = rabbit::connect(RabbitSettings {
        url,
        ..RabbitSettings::default()
    });
    let (stop, stopped) = watch::channel(false);
    let telling = tokio::spawn(tell(bus.await.unwrap(), stopped));

    for kill in 0..kills {
        kill_at(STEPS[kill % STEPS.len()], &config, &receiver).await;
    }
    stop.send(true).unwrap();
    let told = telling.await.unwrap();
    let last = Portwatch::start(&["notifier", "--config", &config], &[]);
    let on_record = "SELECT count(*) FROM deliveries WHERE state = 'delivered'";
    until("all deliveries to be on record", || async {
        (servers.query(on_record).trim() == told.len().to_string()).then_some(())
    })
    .await;
    let (code, printed) = last.stop().await;
    assert_eq!(code, Some(0), "{printed}");

    let bodies = receiver.bodies.lock().unwrap();
    let taken: BTreeSet<_> = bodies.keys().cloned().collect();
    assert_eq!(taken, told, "each change was told, and nothing else");
    let mut times = BTreeMap::new();
    for (id, bodies) in bodies.iter() {
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{id}");
        *times.entry(bodies.len()).or_insert(0) += 1;
    }
    eprintln!(
        "{kills} kills, {} deliveries; how often each came: {times:?}",
        told.len()
    );
    assert!(
        times.range(2..).next().is_some(),
        "some were cut off before they were on record"
    );
}
