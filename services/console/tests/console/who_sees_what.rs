//! Every call, by everybody: what is not theirs is not there.

use axum::http::Method;
use portwatch_domain::access::Role;
use portwatch_domain::target::Switches;

use crate::site::{Site, servers};

/// What a call needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Viewer,
    Operator,
}

/// Calls about one server, `{}` being its number; what they are answered with if they may.
const OF_ONE: [(&str, &str, &str, Needs, u16); 10] = [
    ("GET", "/api/server/portscanner/{}", "", Needs::Viewer, 200),
    (
        "GET",
        "/api/server/portscanner/{}/ports",
        "",
        Needs::Viewer,
        200,
    ),
    (
        "POST",
        "/api/server/portscanner/{}",
        "{}",
        Needs::Operator,
        201,
    ),
    ("GET", "/api/v1/targets/{}", "", Needs::Viewer, 200),
    ("GET", "/api/v1/targets/{}/ports", "", Needs::Viewer, 200),
    ("GET", "/api/v1/targets/{}/history", "", Needs::Viewer, 200),
    (
        "PATCH",
        "/api/v1/targets/{}/switches",
        r#"{"notify":true}"#,
        Needs::Operator,
        200,
    ),
    ("POST", "/api/v1/targets/{}/scans", "", Needs::Operator, 202),
    ("GET", "/portscanner/{}", "", Needs::Viewer, 200),
    ("POST", "/portscanner/{}/scan", "", Needs::Operator, 303),
];

#[tokio::test]
async fn a_server_of_another_group_is_not_there() {
    let site = Site::new().await;
    let theirs = site.number(&servers()[2]).await;
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        for groups in [&["east"][..], &[]] {
            let token = site.token(role, Some(groups)).await;
            for (method, path, body, ..) in OF_ONE {
                for key in [
                    theirs.to_string(),
                    "198.18.0.3".to_owned(),
                    servers()[2].id.to_string(),
                ] {
                    let path = path.replace("{}", &key);
                    let method = method.parse().unwrap();
                    let answer = site.ask(&token, method, &path, body).await;
                    assert_eq!(answer.status, 404, "{role} {path}");
                    assert!(!answer.text.contains("other-1"), "{role} {path}");
                }
            }
            for path in ["/api/servers", "/api/v1/targets", "/portscanner"] {
                let answer = site.get(&token, path).await;
                assert_eq!(answer.status, 200, "{path}");
                assert!(!answer.text.contains("other-1"), "{role} {path}");
                assert_eq!(answer.text.contains("lb-1"), !groups.is_empty(), "{path}");
            }
        }
    }
    let stored = site
        .store
        .target_state(servers()[2].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.target.switches, Switches::default());
    assert_eq!(
        site.store.audit(100).await.unwrap().len(),
        6,
        "six tokens, and nothing else"
    );
}

#[tokio::test]
async fn a_role_may_do_what_it_may() {
    let site = Site::new().await;
    let number = site.number(&servers()[0]).await;
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        let token = site.token(role, Some(&["east"])).await;
        for (method, path, body, needs, status) in OF_ONE {
            let path = path.replace("{}", &number.to_string());
            let method: Method = method.parse().unwrap();
            let answer = site.ask(&token, method.clone(), &path, body).await;
            let may = needs == Needs::Viewer || role >= Role::Operator;
            let expected = if may { status } else { 403 };
            assert_eq!(
                answer.status, expected,
                "{role} {method} {path}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_nothing() {
    let site = Site::new().await;
    let number = site.number(&servers()[0]).await;
    for (method, path, body, ..) in OF_ONE {
        for path in [
            path.replace("{}", &number.to_string()),
            path.replace("{}", "99"),
        ] {
            let method: Method = method.parse().unwrap();
            let answer = site.send(method, &path, &[], body).await;
            let expected = if path.starts_with("/api/") { 401 } else { 303 };
            assert_eq!(answer.status, expected, "{path}");
            if expected == 303 {
                let to = answer.headers["location"].to_str().unwrap();
                assert!(to.starts_with("/login?next=/portscanner"), "{to}");
            } else {
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
                assert_eq!(answer.json()["status"], "failed");
            }
        }
    }
}

#[tokio::test]
async fn the_audit_log_is_for_administrators_of_everything() {
    let site = Site::new().await;
    let cases = [
        (Role::Viewer, None, 403),
        (Role::Operator, None, 403),
        (Role::Admin, Some(&["east"][..]), 403),
        (Role::Admin, None, 200),
    ];
    for (role, groups, expected) in cases {
        let token = site.token(role, groups).await;
        let answer = site.get(&token, "/api/v1/audit?limit=2").await;
        assert_eq!(answer.status, expected, "{role} {groups:?}");
        if expected == 200 {
            let entries = answer.json();
            assert_eq!(entries["entries"].as_array().unwrap().len(), 2);
            assert_eq!(entries["entries"][0]["action"], "token.add");
        }
    }
}
