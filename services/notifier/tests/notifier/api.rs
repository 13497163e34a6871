//! The notifier over HTTP.

use std::net::Ipv4Addr;
use std::sync::Arc;

use portwatch_domain::notification::Content;
use portwatch_notifier::api::{self, ApiDeps, InvalidToken};
use portwatch_notifier::routing::{MatchSettings, RouteSettings};
use portwatch_notifier::{ChannelSettings, Routing, Settings, channels};
use portwatch_runtime::settings::{List, Secret};
use portwatch_store::channels::Off;
use serde_json::{Value, json};

use crate::{SECRET, World, receiver};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn settings(url: &str) -> Settings {
    let hook = |name: &str| ChannelSettings {
        name: name.to_owned(),
        kind: "webhook".to_owned(),
        url: url.to_owned().into(),
        secret: SECRET.to_owned().into(),
        ..ChannelSettings::default()
    };
    Settings {
        allow: List(vec!["127.0.0.1".parse().unwrap()]),
        channels: vec![hook("hook"), hook("other")],
        routes: vec![RouteSettings {
            name: "zones".to_owned(),
            matches: MatchSettings {
                kinds: List(vec!["zone.*".to_owned()]),
                ..MatchSettings::default()
            },
            channels: List(vec!["hook".to_owned(), "other".to_owned()]),
            ..RouteSettings::default()
        }],
        ..Settings::default()
    }
}

/// Serves the API; gives its address.
async fn serve(world: &World, settings: &Settings) -> String {
    let channels = Arc::new(channels::configured(settings).unwrap());
    let deps = ApiDeps {
        store: world.store.clone(),
        routing: Arc::new(Routing::read(settings, &channels).unwrap()),
        channels,
    };
    let none = api::router(deps.clone(), &Secret::default()).unwrap();
    assert!(none.is_none(), "without a token nobody is answered");
    let short = api::router(deps.clone(), &"short".to_owned().into());
    assert_eq!(short.err(), Some(InvalidToken));
    let router = api::router(deps, &TOKEN.to_owned().into())
        .unwrap()
        .unwrap();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn post(url: &str, token: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(url).bearer_auth(token);
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
    )
}

#[tokio::test]
async fn who_would_be_told_is_said_to_those_who_may_ask() {
    let world = World::new();
    let (receiver, _got) = receiver(&[]).await;
    let url = serve(&world, &settings(&receiver)).await;
    let route = format!("{url}/route");
    let zone = json!({ "kind": "zone.unattended", "zone": "dmz" });
    let (status, said) = post(&route, TOKEN, &zone).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(
        said["told"],
        json!([{ "channel": "hook", "digest": false }, { "channel": "other", "digest": false }])
    );
    assert_eq!(
        (&said["routes"][0]["route"], &said["severity"]),
        (&"zones".into(), &"high".into())
    );
    let off = Off {
        at: jiff::Timestamp::now(),
        by: None,
        reason: "dead".to_owned(),
    };
    assert!(world.store.switch_off("other", off).await.unwrap());
    let (_, said) = post(&route, TOKEN, &zone).await;
    assert_eq!(
        said["told"],
        json!([{ "channel": "hook", "digest": false }])
    );
    assert_eq!(said["off"], json!(["other"]));
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said() {
    let world = World::new();
    let url = serve(&world, &settings("http://127.0.0.1:9/")).await;
    let route = format!("{url}/route");
    let zone = json!({ "kind": "zone.unattended", "zone": "dmz" });
    for (body, status, says) in [
        (
            json!({ "kind": "port.exploded", "target": "a" }),
            400,
            "unknown kind of change",
        ),
        (json!({ "kind": "port.opened" }), 400, "give a target"),
        (
            json!({ "kind": "port.opened", "target": "a", "zone": "b" }),
            400,
            "only one of them",
        ),
        (
            json!({ "kind": "port.opened", "target": "nothing" }),
            404,
            "no target \"nothing\"",
        ),
        (
            json!({ "kind": "zone.unattended", "channel": "hook" }),
            400,
            "is about no channel",
        ),
        (
            json!({ "kind": "port.opened", "target": "a", "port": "1-2" }),
            400,
            "port: one port",
        ),
        (
            json!({ "kind": "port.opened", "target": "a", "porto": 1 }),
            400,
            "unknown field `porto`",
        ),
        (json!([1, 2]), 400, "invalid"),
    ] {
        let (found, said) = post(&route, TOKEN, &body).await;
        let text = said["error"].as_str().unwrap();
        assert!(
            found == status && text.contains(says),
            "{body}: {found} {text}"
        );
    }
    for token in ["", "0123456789abcdef0123456789abcdeg", "Bearer"] {
        let (status, said) = post(&route, token, &zone).await;
        assert_eq!(status, 401, "{said}");
        assert!(
            said["error"]
                .as_str()
                .unwrap()
                .contains("notifier.api_token")
        );
    }
}

#[tokio::test]
async fn a_channel_is_tried_and_its_answer_shown() {
    let world = World::new();
    let (receiver, mut got) = receiver(&[200, 503]).await;
    let url = serve(&world, &settings(&receiver)).await;
    let test = format!("{url}/channels/hook/test");
    let (status, said) = post(&test, TOKEN, &Value::Null).await;
    assert_eq!(
        (status, &said["taken"], &said["status"]),
        (200, &true.into(), &200.into())
    );
    let (headers, body) = got.recv().await.unwrap();
    assert_eq!(headers["webhook-id"].to_str().unwrap(), said["delivery"]);
    let (_, content) = portwatch_schemas::decode_content(&wrapped(&body)).unwrap();
    let Content::Changes(notification) = content else {
        panic!("one change");
    };
    assert_eq!(
        notification.changes.changes[0].kind().as_str(),
        "channel.test"
    );
    let (status, said) = post(&test, TOKEN, &Value::Null).await;
    assert_eq!(
        (status, &said["taken"], &said["status"]),
        (200, &false.into(), &503.into())
    );
    let (status, said) = post(&format!("{url}/channels/none/test"), TOKEN, &Value::Null).await;
    assert_eq!(status, 404);
    assert!(
        said["error"]
            .as_str()
            .unwrap()
            .contains("there are hook, other")
    );
    let (status, _) = post(&test, "wrong", &Value::Null).await;
    assert_eq!(status, 401);

    let listed = reqwest::Client::new()
        .get(format!("{url}/channels"))
        .bearer_auth(TOKEN);
    let listed = listed.send().await.unwrap().bytes().await.unwrap();
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!(
        listed["channels"][1],
        json!({ "name": "other", "failing_since": null, "off": null, "pending": 0, "given_up": 0 })
    );
}

/// The body of a webhook as a message.
fn wrapped(body: &[u8]) -> Vec<u8> {
    let example = include_str!("../../../../schemas/examples/notification.v1.channel-test.json");
    let mut message: Value = serde_json::from_str(example).unwrap();
    message["data"] = serde_json::from_slice(body).unwrap();
    message.to_string().into_bytes()
}
