//! Channels whose receivers are dead.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portwatch_notifier::{ChannelSettings, Settings, WebhookSettings};
use portwatch_store::channels::ChannelState;
use portwatch_store::notifications::{Attempt, NewDelivery, NewNotification, NextStep};
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{Request, SECRET, World, changes, next, receiver};

type Got = mpsc::UnboundedReceiver<Request>;

/// A second webhook.
fn second(url: &str) -> ChannelSettings {
    ChannelSettings {
        name: "second".to_owned(),
        kind: "webhook".to_owned(),
        url: url.to_owned().into(),
        secret: SECRET.to_owned().into(),
        ..ChannelSettings::default()
    }
}

fn both(first: &str, other: &str) -> Settings {
    Settings {
        webhook: Some(WebhookSettings {
            url: first.to_owned(),
            secret: SECRET.to_owned().into(),
            ..WebhookSettings::default()
        }),
        channels: vec![second(other)],
        ..Settings::default()
    }
}

/// Waits until a channel is as it should be.
async fn until(
    world: &World,
    channel: &str,
    is_so: impl Fn(&ChannelState) -> bool,
) -> ChannelState {
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_000 {
        clock.tick().await;
        let states = world.store.channels().await.unwrap();
        let found = states.into_iter().find(|state| state.name == channel);
        if let Some(state) = found.filter(|state| is_so(state)) {
            return state;
        }
    }
    panic!("{channel} is not as it should be after 20 s");
}

/// Waits until the change that was seen at this time is recorded.
async fn noted(world: &World, at: Timestamp) {
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_000 {
        clock.tick().await;
        let problems = world.store.problems(10).await.unwrap();
        let mut since = problems.iter().map(|problem| problem.since);
        if since.any(|since| since.as_microsecond() == at.as_microsecond()) {
            return;
        }
    }
    panic!("the change was not recorded within 20 s");
}

/// The first change of what the receiver got next.
async fn told(got: &mut Got) -> Value {
    let got = tokio::time::timeout(Duration::from_secs(30), got.recv());
    let (_, body) = got.await.unwrap().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    body["changes"][0].clone()
}

/// An attempt to this channel failed so long ago, and none has succeeded since.
async fn failed_ago(world: &World, channel: &str, ago: SignedDuration) {
    let at = Timestamp::now() - ago;
    let new = NewNotification {
        id: Uuid::new_v4(),
        created_at: at,
        body: Vec::new(),
        order_key: "long ago".to_owned(),
        deliveries: vec![NewDelivery {
            id: Uuid::new_v4(),
            channel: channel.to_owned(),
        }],
        held: Vec::new(),
        problems: Vec::new(),
    };
    assert!(world.store.save_notification(new).await.unwrap());
    let channels = [channel.to_owned()];
    let lease = SignedDuration::from_secs(20);
    let due = world.store.claim_deliveries(&channels, at, 1, lease).await;
    let due = due.unwrap().remove(0);
    let attempt = Attempt {
        at,
        latency: SignedDuration::ZERO,
        status: None,
        error: Some("refused".to_owned()),
        answer: None,
        next: NextStep::GivenUp,
    };
    let recorded = world.store.record_attempt(due.id, due.lease, attempt).await;
    assert!(recorded.unwrap());
}

#[tokio::test]
async fn a_receiver_that_wants_no_more_is_not_asked_again() {
    let (url, mut got) = receiver(&[410]).await;
    let world = World::new();
    let running = world.start(&url);
    world.tell(&changes(1, true)).await;
    next(&mut got).await;
    let state = until(&world, "webhook", |state| state.off.is_some()).await;
    let off = state.off.unwrap();
    assert_eq!(off.by, None);
    assert!(off.reason.contains("410 Gone"), "{}", off.reason);
    assert_eq!((state.pending, state.given_up), (0, 1));
    // Nothing is made for it while it is off.
    let second = changes(2, true);
    world.tell(&second).await;
    noted(&world, second.changes[0].at).await;
    assert!(world.store.switch_on("webhook").await.unwrap());
    world.tell(&changes(3, true)).await;
    assert_eq!(
        told(&mut got).await["change_id"],
        changes(3, true).changes[0].id.0.to_string()
    );
    world.stop(running).await;
}

#[tokio::test]
async fn a_channel_that_failed_for_five_days_is_switched_off_and_the_others_are_told() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    failed_ago(&world, "second", SignedDuration::from_hours(5 * 24 + 1)).await;
    // Nobody listens on port 9 of this machine.
    let running = world.start_with(both(&url, "http://127.0.0.1:9/"));
    world.tell(&changes(1, true)).await;
    assert_eq!(told(&mut got).await["kind"], "port.opened");
    let change = told(&mut got).await;
    assert_eq!(
        (&change["kind"], &change["severity"]),
        (&"channel.off".into(), &"high".into())
    );
    assert_eq!(change["host"], "channel second");
    let reason = change["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("no delivery has succeeded since 20"),
        "{reason}"
    );
    let state = until(&world, "second", |state| state.off.is_some()).await;
    assert_eq!((state.pending, state.given_up), (0, 2));
    let problems = world.store.problems(10).await.unwrap();
    // The port that is open, and the channel that is off.
    assert_eq!(problems.len(), 2);
    world.stop(running).await;
}

#[tokio::test]
async fn a_channel_stays_on_while_nobody_else_can_be_told() {
    let (url, mut got) = receiver(&[503]).await;
    let world = World::new();
    failed_ago(&world, "webhook", SignedDuration::from_hours(30 * 24)).await;
    let running = world.start(&url);
    world.tell(&changes(1, true)).await;
    next(&mut got).await;
    // It is tried again after five seconds, and then it works.
    next(&mut got).await;
    let state = until(&world, "webhook", |state| state.pending == 0).await;
    assert_eq!((state.off, state.failing_since), (None, None));
    world.stop(running).await;
}
