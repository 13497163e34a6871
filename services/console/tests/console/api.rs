//! Our own API.

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::access::Role;
use portwatch_domain::target::Target;
use serde_json::{Value, json};

use crate::site::{Site, servers};

#[tokio::test]
async fn what_is_open_is_listed_with_what_is_expected() {
    let expecting = Target {
        expected: Some("22".parse().unwrap()),
        ..servers().remove(0)
    };
    let site = Site::with(std::slice::from_ref(&expecting)).await;
    let at: Timestamp = "2026-11-22T12:35:53Z".parse().unwrap();
    site.scanned(&expecting, 1, "198.18.0.1", "22,80", at).await;
    let token = site.token(Role::Viewer, None).await;
    let ports = site
        .get(&token, "/api/v1/targets/198.18.0.1/ports")
        .await
        .json();
    let seen: Vec<_> = ports["ports"].as_array().unwrap().iter().collect();
    let facts = |port: &Value| {
        (
            port["port"].clone(),
            port["service"].clone(),
            port["expected"].clone(),
        )
    };
    assert_eq!(facts(seen[0]), (json!(22), json!("ssh"), json!(true)));
    assert_eq!(facts(seen[1]), (json!(80), json!("http"), json!(false)));
    assert_eq!(seen[0]["since"], "2026-11-22T12:35:53Z");
    let target = site.get(&token, "/api/v1/targets/198.18.0.1").await.json();
    assert_eq!(
        (
            &target["open_ports"],
            &target["unexpected_open"],
            &target["name"]
        ),
        (&json!(2), &json!(1), &json!("lb-1"))
    );
}

#[tokio::test]
async fn the_history_is_filtered_as_asked() {
    let site = Site::new().await;
    site.scanned_three_times().await;
    let token = site.token(Role::Viewer, None).await;
    let history = async |query: &str| {
        let path = format!("/api/v1/targets/198.18.0.1/history?{query}");
        site.get(&token, &path).await
    };
    let kinds = async |query: &str| {
        let answer = history(query).await.json();
        let changes = answer["changes"].as_array().unwrap().clone();
        let kind = |change: &Value| change["kind"].as_str().unwrap().to_owned();
        changes.iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds("port=80").await, ["port.closed", "port.opened"]);
    assert_eq!(kinds("kind=port.closed").await, ["port.closed"]);
    assert_eq!(kinds("limit=1").await, ["port.closed"]);
    assert_eq!(
        kinds("port=80&to=2026-11-22T12:37:00Z").await,
        ["port.opened"]
    );
    for wrong in ["kind=port.vanished", "limit=0", "limit=x", "from=yesterday"] {
        let answer = history(wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert_eq!(answer.json()["status"], "failed", "{wrong}");
    }
}

#[tokio::test]
async fn only_the_switches_that_are_named_are_set() {
    let site = Site::new().await;
    let token = site.token(Role::Operator, None).await;
    let path = "/api/v1/targets/198.18.0.1/switches";
    let set = site
        .ask(&token, Method::PATCH, path, r#"{"notify":false}"#)
        .await;
    let target = set.json();
    assert_eq!(
        (&target["enabled"], &target["notify"], &target["set"]),
        (
            &json!(true),
            &json!(false),
            &json!({"enabled": null, "notify": false, "history": null, "by": "a program, operator"})
        )
    );
    for wrong in [
        "{}",
        "[]",
        r#"{"notify":1}"#,
        r#"{"notifications":true}"#,
        "",
    ] {
        let answer = site.ask(&token, Method::PATCH, path, wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_scan_is_asked_for_and_followed() {
    let site = Site::new().await;
    let token = site.token(Role::Operator, None).await;
    let asked = site
        .post(&token, "/api/v1/targets/198.18.0.1/scans", "")
        .await;
    assert_eq!(asked.status, 202);
    let scan = asked.json()["scan"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/targets/198.18.0.1/scans/{scan}");
    let state = site.get(&token, &path).await.json();
    assert_eq!(
        (&state["run"], &state["is_over"]),
        (&Value::Null, &json!(false))
    );
    let none = "/api/v1/targets/198.18.0.1/scans/00000000-0000-0000-0000-000000000000";
    assert_eq!(site.get(&token, none).await.status, 404);
    let now = Timestamp::now();
    let due = site
        .store
        .claim_requests(now, 10, SignedDuration::from_secs(30))
        .await
        .unwrap();
    assert_eq!((due.len(), due[0].target.name.as_str()), (1, "lb-1"));
    assert_eq!(site.store.audit(1).await.unwrap()[0].action, "scan.now");

    let off = site.ask(
        &token,
        Method::PATCH,
        "/api/v1/targets/198.18.0.1/switches",
        r#"{"enabled":false}"#,
    );
    assert_eq!(off.await.status, 200);
    let refused = site
        .post(&token, "/api/v1/targets/198.18.0.1/scans", "")
        .await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("switched off"), "{}", refused.text);
}

#[tokio::test]
async fn many_targets_come_in_pages() {
    let site = Site::new().await;
    let token = site.token(Role::Viewer, None).await;
    let page = site
        .get(&token, "/api/v1/targets?limit=1&offset=1")
        .await
        .json();
    assert_eq!(
        (&page["total"], &page["targets"][0]["name"]),
        (&json!(3), &json!("lb-2"))
    );
    let west = site.get(&token, "/api/v1/targets?group=west").await.json();
    assert_eq!(
        (&west["total"], &west["targets"][0]["name"]),
        (&json!(1), &json!("other-1"))
    );
}
