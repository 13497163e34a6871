//! What is told together, to whom, and what is not told.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::{About, ChangeId, Changes, Severity, Transition};
use portwatch_domain::snapshot::PortState;
use portwatch_notifier::routing::{MatchSettings, RouteSettings};
use portwatch_notifier::{ChannelSettings, Settings};
use portwatch_runtime::settings::List;
use portwatch_store::problems::Acknowledgement;
use portwatch_store::silences::Silence;
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{World, changes, receiver};

type Got = mpsc::UnboundedReceiver<(HeaderMap, Bytes)>;

/// A channel that people read.
fn chat(name: &str, url: &str) -> ChannelSettings {
    ChannelSettings {
        name: name.to_owned(),
        kind: "mattermost".to_owned(),
        url: url.to_owned().into(),
        ..ChannelSettings::default()
    }
}

fn people(url: &str) -> Settings {
    Settings {
        channels: vec![chat("chat", url)],
        group_wait: SignedDuration::from_millis(300),
        group_interval: SignedDuration::from_millis(1500),
        storm: 5,
        ..Settings::default()
    }
}

/// The `run`th change of a host: its port opens at odd runs and closes at even ones.
fn of_host(host: u8, run: u64) -> Changes {
    let mut changes = changes(run, true);
    let About::Host { target, ip, .. } = &mut changes.about else {
        panic!("a host");
    };
    *ip = IpAddr::from([198, 51, 100, host]);
    let (target, ip) = (target.id, *ip);
    let change = &mut changes.changes[0];
    let Transition::Port {
        port,
        before,
        after,
        ..
    } = &mut change.transition
    else {
        panic!("a port");
    };
    if run.is_multiple_of(2) {
        (*before, *after) = (PortState::Open, PortState::Closed);
        change.severity = Severity::Info;
    }
    change.id = ChangeId::of_port(target, ip, *port, run);
    changes
}

async fn text(got: &mut Got) -> String {
    let (_, body) = tokio::time::timeout(Duration::from_secs(30), got.recv())
        .await
        .unwrap()
        .unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    // As it reads without the escapes of Markdown.
    let title = body["attachments"][0]["fallback"].as_str().unwrap();
    title.replace('\\', "")
}

#[tokio::test]
async fn a_host_is_told_of_once_and_then_left_alone_for_a_while() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let running = world.start_with(people(&url));
    let began = Timestamp::now();
    let mut second = of_host(1, 3);
    let Transition::Port { port, .. } = &mut second.changes[0].transition else {
        panic!("a port");
    };
    port.number = 443;
    world.tell(&of_host(1, 1)).await;
    world.tell(&second).await;
    let title = text(&mut got).await;
    assert!(title.contains("2 changes (2 opened)"), "{title}");
    let told = Timestamp::now();
    assert!(told.duration_since(began) >= SignedDuration::from_millis(300));
    world.tell(&of_host(1, 2)).await;
    world.tell(&of_host(2, 1)).await;
    assert!(text(&mut got).await.contains("198.51.100.2"));
    assert!(
        text(&mut got)
            .await
            .contains("198.51.100.1: port 80/tcp (http) closed")
    );
    let waited = Timestamp::now().duration_since(told);
    assert!(waited >= SignedDuration::from_millis(1000), "{waited:#}");
    world.stop(running).await;
}

#[tokio::test]
async fn what_opens_and_closes_while_it_waits_is_not_told() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let running = world.start_with(people(&url));
    world.tell(&of_host(1, 1)).await;
    world.tell(&of_host(1, 2)).await;
    // Everything before it was dealt with when this is told.
    world.tell(&of_host(2, 1)).await;
    assert!(text(&mut got).await.contains("198.51.100.2"));
    world.stop(running).await;
    assert!(got.try_recv().is_err());
}

#[tokio::test]
async fn many_hosts_at_once_are_one_message() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let running = world.start_with(people(&url));
    for host in 1..=200 {
        world.tell(&of_host(host, 1)).await;
    }
    let mut told = 0;
    let mut messages = 0;
    while told < 200 {
        let title = text(&mut got).await;
        messages += 1;
        // One that came after the first summary may be told by itself.
        told += title.split(' ').next().unwrap().parse().unwrap_or(1);
    }
    assert_eq!(told, 200);
    assert!(messages <= 4, "{messages} messages");
    world.stop(running).await;
    assert!(got.try_recv().is_err());
}

#[tokio::test]
async fn rules_say_who_is_told_and_the_rest_goes_to_the_default() {
    let (first, mut to_first) = receiver(&[]).await;
    let (second, mut to_second) = receiver(&[]).await;
    let world = World::new();
    let only = |host: &str| MatchSettings {
        hosts: List(vec![host.to_owned()]),
        ..MatchSettings::default()
    };
    let route = RouteSettings {
        name: "first".to_owned(),
        matches: only("198.51.100.1"),
        channels: List(vec!["one".to_owned()]),
        ..RouteSettings::default()
    };
    let nobody = RouteSettings {
        name: "nobody".to_owned(),
        matches: only("198.51.100.3"),
        ..RouteSettings::default()
    };
    let running = world.start_with(Settings {
        channels: vec![chat("one", &first), chat("two", &second)],
        default: Some(List(vec!["two".to_owned()])),
        routes: vec![route, nobody],
        group_wait: SignedDuration::ZERO,
        ..Settings::default()
    });
    for host in [3, 1, 2] {
        world.tell(&of_host(host, 1)).await;
    }
    assert!(text(&mut to_first).await.contains("198.51.100.1"));
    assert!(text(&mut to_second).await.contains("198.51.100.2"));
    world.stop(running).await;
    assert!(to_first.try_recv().is_err() && to_second.try_recv().is_err());
}

#[tokio::test]
async fn a_silence_holds_until_it_ends_also_for_what_waits() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let silence = |matcher: &str| Silence {
        id: Uuid::new_v4(),
        matcher: matcher.to_owned(),
        reason: "planned".to_owned(),
        author: "eve".to_owned(),
        from: Timestamp::now(),
        until: Timestamp::now() + SignedDuration::from_hours(1),
    };
    let of_one = silence(r#"{"hosts":["198.51.100.1"]}"#);
    world.store.add_silence(of_one.clone()).await.unwrap();
    let mut settings = people(&url);
    settings.group_wait = SignedDuration::from_secs(3);
    let running = world.start_with(settings);
    world.tell(&of_host(1, 1)).await;
    world.tell(&of_host(2, 1)).await;
    world.tell(&of_host(3, 1)).await;
    let of_two = silence(r#"{"hosts":["198.51.100.2"]}"#);
    world.store.add_silence(of_two).await.unwrap();
    assert!(text(&mut got).await.contains("198.51.100.3"));
    world.stop(running).await;
    assert!(got.try_recv().is_err());

    world
        .store
        .end_silence(of_one.id, Timestamp::now())
        .await
        .unwrap();
    let world = world.again();
    let running = world.start_with(people(&url));
    world.tell(&of_host(1, 2)).await;
    assert!(text(&mut got).await.contains("198.51.100.1"));
    world.stop(running).await;
}

#[tokio::test]
async fn people_are_reminded_until_somebody_acknowledges_it_or_it_ends() {
    let (url, mut got) = receiver(&[]).await;
    let world = World::new();
    let running = world.start_with(Settings {
        remind: SignedDuration::from_millis(400),
        group_wait: SignedDuration::ZERO,
        ..people(&url)
    });
    world.tell(&of_host(1, 1)).await;
    world.tell(&of_host(2, 1)).await;
    let told = [text(&mut got).await, text(&mut got).await].concat();
    assert!(told.contains("198.51.100.1") && told.contains("198.51.100.2"));
    loop {
        let reminder = text(&mut got).await;
        assert!(reminder.contains("nobody has acknowledged"), "{reminder}");
        if reminder.contains("2 problems of 2 hosts of here: 2 ports opened") {
            break;
        }
    }
    let problems = world.store.problems(10).await.unwrap();
    let seen = Acknowledgement {
        at: Timestamp::now(),
        by: "eve".to_owned(),
        reason: "looking".to_owned(),
    };
    assert!(world.store.acknowledge(problems[0].id, seen).await.unwrap());
    while !text(&mut got).await.contains("1 problem of 1 host") {}
    // The other one ends: that is told, and after it nothing.
    let open = if problems[0]
        .body
        .windows(12)
        .any(|text| text == b"198.51.100.1")
    {
        2
    } else {
        1
    };
    world.tell(&of_host(open, 2)).await;
    while !text(&mut got).await.contains("closed") {}
    let left = world.store.problems(10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].acknowledged.is_some());
    world.stop(running).await;
}
