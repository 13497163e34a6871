//! How long changes take from the bus to a receiver, with and without another receiver that hangs.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use portwatch_bus::Route;
use portwatch_domain::notification::Notification;
use portwatch_schemas::encode;
use portwatch_store::Store;
use tokio::time::MissedTickBehavior;

use crate::receiver::Receiver;
use crate::world::{World, changes, meta};

/// Changes in each round, and the time from one to the next.
const CHANGES: u32 = 500;
const EVERY: Duration = Duration::from_millis(10);

/// Rounds of each sort, in turn, so that whatever else the machine does falls on both.
const ROUNDS: u32 = 4;

/// Numbers of hosts that nothing else here uses.
const FIRST: u32 = 60_000;

pub async fn measure(store: Store) {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let first = FIRST + round * 2 * CHANGES;
        alone.extend(latencies(store.clone(), first, false).await);
        beside.extend(latencies(store.clone(), first + CHANGES, true).await);
    }
    let [alone, beside] = [alone, beside].map(|mut all: Vec<Duration>| {
        all.sort_unstable();
        [50, 99].map(|percent| all[all.len() * percent / 100])
    });
    println!(
        "from the bus to the receiver: alone p50 {:.2?} p99 {:.2?}; beside one that hangs p50 {:.2?} p99 {:.2?}: \
         p99 x {:.3}, {}",
        alone[0],
        alone[1],
        beside[0],
        beside[1],
        beside[1].as_secs_f64() / alone[1].as_secs_f64(),
        crate::load()
    );
}

async fn latencies(store: Store, first: u32, hangs: bool) -> Vec<Duration> {
    let receiver = Receiver::start();
    // It takes connections and never answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let other = hangs.then(|| format!("http://{}/", silent.local_addr().unwrap()));
    let world = World::new(store);
    let running = world.start(&receiver.url(), other);
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Vec::new();
    for number in first..first + CHANGES {
        clock.tick().await;
        let changes = changes(number);
        let body = encode(&meta(changes.id()), &changes).unwrap();
        let id = changes.id();
        let notification = Notification::of(changes, jiff::Timestamp::now()).unwrap();
        told.push((notification.delivery_id("webhook"), Instant::now()));
        world.bus.publish(&Route::Change, id, body).await.unwrap();
    }
    while receiver.taken() < CHANGES.into() {
        tokio::time::sleep(EVERY).await;
    }
    drop(silent);
    world.stop(running).await;
    let times = receiver.times();
    told.iter()
        .map(|(id, at)| times[id].duration_since(*at))
        .collect()
}
