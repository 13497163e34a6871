//! Roxy-WI's calls, in its shapes.

use jiff::Timestamp;
use portwatch_domain::access::Role;
use portwatch_domain::target::{Switches, Switching};
use serde_json::{Value, json};

use crate::site::{PASSWORD, Site, servers, target};

#[tokio::test]
async fn a_login_gives_a_token_and_says_what_is_wrong() {
    let site = Site::new().await;
    site.user("anna", Role::Admin, None).await;
    let log_in = async |body: &str| {
        site.send(axum::http::Method::POST, "/api/login", &[], body)
            .await
    };
    let cases = [
        (
            json!({"login": "anna", "password": "wrong"}).to_string(),
            401,
            json!("the login or the password is wrong"),
        ),
        (
            json!({"login": "bert", "password": PASSWORD}).to_string(),
            401,
            json!("the login or the password is wrong"),
        ),
        (
            json!({"login": "anna"}).to_string(),
            400,
            json!(["password: Field required"]),
        ),
        (
            json!({"login": 7}).to_string(),
            400,
            json!([
                "login: Input should be a valid string",
                "password: Field required"
            ]),
        ),
        (
            "[]".to_owned(),
            400,
            json!("the body is JSON, and no object"),
        ),
    ];
    for (body, status, error) in cases {
        let answer = log_in(&body).await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.json(), json!({"error": error, "status": "failed"}));
    }
    let answer = log_in("{").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("no JSON"), "{}", answer.text);

    let answer = log_in(&json!({"login": "anna", "password": PASSWORD}).to_string()).await;
    assert_eq!(answer.status, 200);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(site.get(&token, "/api/servers").await.status, 200);
    assert_eq!(site.get("wrong", "/api/servers").await.status, 401);
}

#[tokio::test]
async fn servers_have_numbers_and_groups_as_texts() {
    let site = Site::new().await;
    let token = site.token(Role::Viewer, None).await;
    let listed = site.get(&token, "/api/servers").await.json();
    let first = &listed[0];
    assert_eq!(
        (
            &first["hostname"],
            &first["ip"],
            &first["enabled"],
            &first["type_ip"]
        ),
        (&json!("lb-1"), &json!("198.18.0.1"), &json!(1), &json!(0))
    );
    assert!(first["server_id"].is_u64() && first["group_id"].is_string());
    assert_eq!(first["group_id"], listed[1]["group_id"]);
    assert_ne!(first["group_id"], listed[2]["group_id"]);
    assert_eq!(
        site.get(&token, "/api/servers").await.json(),
        listed,
        "they stay"
    );

    let group = listed[2]["group_id"].as_str().unwrap();
    let of_group = site
        .get(&token, &format!("/api/servers?group_id={group}"))
        .await;
    assert_eq!(of_group.json(), json!([listed[2]]));
    let none = site.get(&token, "/api/servers?group_id=77").await;
    assert_eq!(
        (none.status.as_u16(), none.json()["status"].as_str()),
        (404, Some("failed"))
    );
    let wrong = site.get(&token, "/api/servers?group_id=x").await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn switches_are_read_and_set_by_number_and_by_address() {
    let site = Site::new().await;
    let token = site.token(Role::Operator, None).await;
    let listed = &servers()[0];
    let number = site.number(listed).await;
    let by_number = format!("/api/server/portscanner/{number}");
    let by_address = "/api/server/portscanner/198.18.0.1";
    let shows = async |enabled: u8, notify: u8, history: u8| {
        for path in [by_number.as_str(), by_address] {
            let expected = json!({
                "server_id": number, "enabled": enabled, "notify": notify, "history": history,
            });
            assert_eq!(site.get(&token, path).await.json(), expected, "{path}");
        }
    };
    shows(1, 1, 1).await;
    let set = site
        .post(
            &token,
            by_address,
            r#"{"enabled":1,"notify":0,"history":"no"}"#,
        )
        .await;
    assert_eq!(
        (set.status.as_u16(), set.json()),
        (201, json!({"status": "Ok"}))
    );
    shows(1, 0, 0).await;

    // A new sync of the settings does not undo it.
    let listed = servers();
    let synced = site
        .store
        .sync_targets("settings", &listed, Timestamp::now());
    synced.await.unwrap();
    shows(1, 0, 0).await;

    // One that is left out becomes true.
    let set = site.post(&token, &by_number, r#"{"enabled":false}"#).await;
    assert_eq!(set.status, 201);
    shows(0, 1, 1).await;
    let wrong = site
        .post(&token, by_address, r#"{"enabled":"maybe"}"#)
        .await;
    let expected = "enabled: Input should be a valid boolean, unable to interpret input";
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()),
        (400, json!({"error": [expected], "status": "failed"}))
    );
    shows(0, 1, 1).await;
}

#[tokio::test]
async fn what_a_server_is_called_by_finds_it_alone() {
    let mut listed = servers();
    listed.push(target("v6", "east", "fd00:198:18::1"));
    listed.push(target("named", "east", "db.example.org"));
    listed.push(target("twin", "west", "198.18.0.1"));
    let site = Site::with(&listed).await;
    let token = site.token(Role::Viewer, None).await;
    let status = async |key: &str| {
        let path = format!("/api/server/portscanner/{key}");
        site.get(&token, &path).await
    };
    for key in [
        "fd00:198:18::1",
        "FD00:198:18:0::1",
        "db.example.org",
        "198.18.0.2",
    ] {
        assert_eq!(status(key).await.status, 200, "{key}");
    }
    for key in [
        "99",
        "198.18.9.9",
        "198.18.0.0%2F24",
        "no%20name",
        "-1",
        "18446744073709551616",
    ] {
        let answer = status(key).await;
        assert_eq!(answer.status, 404, "{key}");
        let error = "Cannot find server: Resource not found";
        assert_eq!(answer.json(), json!({"error": error, "status": "failed"}));
    }
    let twins = status("198.18.0.1").await;
    assert_eq!(twins.status, 409);
    assert!(
        twins.text.contains("use one of their ids"),
        "{}",
        twins.text
    );
    let east = site.token(Role::Viewer, Some(&["east"])).await;
    let alone = site.get(&east, "/api/server/portscanner/198.18.0.1").await;
    assert_eq!(alone.status, 200, "who sees one only has no doubt");
}

#[tokio::test]
async fn the_history_says_opened_and_closed_newest_first() {
    let site = Site::new().await;
    site.scanned_three_times().await;
    let token = site.token(Role::Viewer, None).await;
    let history = site
        .get(&token, "/api/server/portscanner/198.18.0.1/ports")
        .await;
    let entry = |port: u16, status: &str, name: &str, date: &str| json!({"port": port, "status": status, "service_name": name, "date": date});
    let expected = [
        entry(80, "closed", "http", "2026-11-22T12:37:53"),
        entry(80, "opened", "http", "2026-11-22T12:36:53"),
        entry(22, "opened", "ssh", "2026-11-22T12:35:53"),
    ];
    assert_eq!(history.json(), Value::from(expected.to_vec()));
    let empty = site
        .get(&token, "/api/server/portscanner/198.18.0.2/ports")
        .await;
    assert_eq!(empty.json(), json!([]));
}

#[tokio::test]
async fn switches_that_a_source_keeps_are_set_there() {
    let site = Site::new().await;
    let elsewhere = target("far", "east", "198.18.0.9");
    let synced = site.store.sync_targets(
        "elsewhere",
        std::slice::from_ref(&elsewhere),
        Timestamp::now(),
    );
    synced.await.unwrap();
    let token = site.token(Role::Operator, None).await;
    let path = "/api/server/portscanner/198.18.0.9";
    let set = site.post(&token, path, r#"{"notify":false}"#).await;
    assert_eq!(set.status, 201);
    let all = Switching {
        enabled: Some(true),
        notify: Some(false),
        history: Some(true),
    };
    assert_eq!(*site.asked.lock().unwrap(), [(elsewhere.id, all)]);
    let stored = site
        .store
        .target_state(elsewhere.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (stored.target.switches, stored.set),
        (Switches::default(), Switching::default()),
        "the source's word is the only one"
    );
    let log = site.store.audit(1).await.unwrap().remove(0);
    assert_eq!(
        log.detail,
        "enabled on, notify off, history on (in elsewhere)"
    );

    let refused = site.post(&token, path, r#"{"history":false}"#).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["error"], "the source does not want to");
    let failed = site.post(&token, path, r#"{"enabled":false}"#).await;
    assert_eq!(failed.status, 502);
    assert_eq!(failed.json()["error"], "the source does not answer");
    assert_eq!(site.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn numbers_that_roxy_wi_has_are_its_own() {
    use portwatch_store::numbers::Numbered;
    let site = Site::new().await;
    let listed = servers();
    site.number(&listed[0]).await;
    let own = [(listed[1].id.to_string(), 7)].into();
    site.store.set_numbers(Numbered::Target, own).await.unwrap();
    let token = site.token(Role::Viewer, None).await;
    let seven = site.get(&token, "/api/server/portscanner/7").await.json();
    assert_eq!(seven["server_id"], 7);
    let all = site.get(&token, "/api/servers").await.json();
    assert_eq!(
        (&all[1]["hostname"], &all[1]["server_id"]),
        (&json!("lb-2"), &json!(7))
    );
}
