//! Roxy-WI answers otherwise than it should, or lets nobody in: nothing changes, and it is said what is wrong and where.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::Portwatch;
use portwatch_tests::roxy_wi::{NO_SUBSCRIPTION, PASSWORD, Server, Site, switches};
use serde_json::json;

#[tokio::test]
async fn a_server_that_cannot_be_watched_is_named_and_the_others_go_on() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server::new(2, "lb-2", "127.0.0.3"),
    ];
    site.sync(&[]).await;
    for (ip, why) in [
        ("10.0.0.0/8", "is more than one"),
        ("127.0.0.1-127.0.0.9", "is more than one"),
        ("127.0.0.300", "is not a target"),
        ("", "is not a target"),
        ("fe80::1%eth0", "names an interface"),
        ("0.0.0.0", "is not the address of a host"),
    ] {
        site.roxy_wi.world().server(1).ip = ip.to_owned();
        let lines = site.sync(&[]).await;
        let refused = lines[0]["refused"].as_str().unwrap();
        assert!(
            refused.starts_with("server 1: ") && refused.contains(why),
            "{refused}"
        );
        assert_eq!(
            site.target("lb-1").await["addresses"],
            json!(["127.0.0.2"]),
            "it stays as it was"
        );
    }
    let (code, out, _) = site.run(&["roxy-wi", "sync"]).await;
    assert!(
        code == 1 && out.contains("cannot be watched: server 1: "),
        "{code} {out}"
    );
    // Its switches still count.
    site.roxy_wi.world().server(1).switches = Some([false, true, false]);
    site.roxy_wi.world().server(2).switches = Some([true, true, false]);
    site.sync(&[]).await;
    assert_eq!(switches(&site.target("lb-1").await), [false, true, false]);
    assert_eq!(switches(&site.target("lb-2").await), [true, true, false]);
}

/// Status, content type, body; and what is said of it.
const ODD: [(u16, &str, &str, &str); 9] = [
    (
        500,
        HTML,
        "<html>Internal Server Error</html>",
        "500: <html>Internal",
    ),
    (502, HTML, "", "502"),
    (
        200,
        JSON,
        FAILED,
        "Roxy-WI says that it failed: no database",
    ),
    (200, HTML, "<!doctype html>", "the answer is no JSON"),
    (200, JSON, "[{\"server_id\":1", "the answer is no JSON"),
    (200, JSON, "null", "and this came: null"),
    (302, HTML, "", "redirects are not followed"),
    (404, HTML, "<html>nginx</html>", "the answer is no JSON"),
    (
        401,
        JSON,
        FAILED,
        "401, also after a new login: no database",
    ),
];
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const FAILED: &str = r#"{"error":"no database","status":"failed"}"#;

#[tokio::test]
async fn if_anything_cannot_be_read_nothing_changes() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server::new(2, "lb-2", "127.0.0.3"),
    ];
    site.sync(&[]).await;
    let before = site.targets().await;
    // Each of these would change something if it were read in part.
    site.roxy_wi.world().server(1).switches = Some([false; 3]);
    site.roxy_wi.world().servers.remove(1);

    let paths = [
        "/api/servers",
        "/api/groups",
        "/api/settings/monitoring",
        "/api/server/portscanner/1",
    ];
    for path in paths {
        for (status, kind, body, said) in ODD {
            let answer = (status, kind, body.to_owned());
            site.roxy_wi.world().broken = [(path.to_owned(), answer)].into();
            let (code, out, err) = site.run(&["roxy-wi", "sync"]).await;
            assert_eq!((code, out.as_str()), (2, ""), "{path} {status} {body}");
            assert!(err.contains(said), "{path} {status}: {err}");
            assert!(err.contains(&format!("GET {path} as ")), "{path}: {err}");
            assert!(err.contains(&site.roxy_wi.url()), "{err}");
        }
    }
    site.roxy_wi.world().broken.clear();
    assert_eq!(site.targets().await, before, "nothing changed");
    site.sync(&[]).await;
    assert_eq!(site.targets().await.len(), 1);
}

#[tokio::test]
async fn what_is_missing_or_odd_is_not_taken_for_a_switch_that_is_off() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![Server::new(1, "lb-1", "127.0.0.2")];
    site.sync(&[]).await;
    let before = site.targets().await;
    // A server that is listed and cannot be found is no server without switches: it went meanwhile, or we see it no more.
    for said in [
        "Cannot find server: Resource not found",
        "Cannot find server: Resource not found in group",
    ] {
        let body = json!({ "error": said, "status": "failed" }).to_string();
        let answer = ("/api/server/portscanner/1".to_owned(), (404, JSON, body));
        site.roxy_wi.world().broken = [answer].into();
        let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
        assert!(code == 2 && err.contains(said), "{err}");
    }
    site.roxy_wi.world().broken.clear();
    for (param, value) in [
        ("port_scan_interval", "0"),
        ("port_scan_interval", "often"),
        ("portscanner_keep_history_range", "-1"),
    ] {
        let was = site
            .roxy_wi
            .world()
            .settings
            .insert(param.to_owned(), value.to_owned())
            .unwrap();
        let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
        assert!(
            code == 2 && err.contains(&format!("{param} is \"{value}\": set it to 1 to ")),
            "{err}"
        );
        site.roxy_wi.world().settings.insert(param.to_owned(), was);
    }
    assert_eq!(site.targets().await, before, "nothing changed");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![Server::new(1, "lb-1", "127.0.0.2")];
    let settings = site.path("portwatch.toml");
    let doctor = async || {
        let output = Portwatch::output(&["doctor", "--config", &settings], &[]).await;
        String::from_utf8(output.stdout).unwrap()
    };
    let healthy = doctor().await;
    assert!(
        healthy.contains("ok    Roxy-WI: lists 1 server\n"),
        "{healthy}"
    );
    site.roxy_wi.world().has_subscription = false;
    let ill = doctor().await;
    assert!(
        ill.contains("FAIL  Roxy-WI: ") && ill.contains(NO_SUBSCRIPTION),
        "{ill}"
    );
    let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
    assert_eq!(code, 2);
    assert!(
        err.contains(NO_SUBSCRIPTION) && err.contains("import the servers from a file"),
        "{err}"
    );
    assert_eq!(
        site.roxy_wi.world().count("POST /login"),
        0,
        "another way in does not help"
    );

    site.roxy_wi.world().has_subscription = true;
    site.roxy_wi.world().api_login_works = false;
    assert_eq!(site.sync(&[]).await.len(), 1, "in by the panel's way");
    assert_eq!(
        site.roxy_wi.world().count("POST /login"),
        2,
        "once for each user"
    );

    for user in site.roxy_wi.world().users.values_mut() {
        user.password = "another".to_owned();
    }
    let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
    assert_eq!(code, 2);
    assert!(
        err.contains("as \"portwatch\": the login is refused") && err.contains("scheduler.roxy_wi"),
        "{err}"
    );
    assert_eq!(site.targets().await.len(), 1);

    for user in site.roxy_wi.world().users.values_mut() {
        user.password = PASSWORD.to_owned();
        user.role = 3;
    }
    let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
    assert!(
        code == 2 && err.contains("403 Forbidden") && err.contains("role admin"),
        "{err}"
    );
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let site = Site::new("").await;
    let url = site.roxy_wi.url();
    let user = format!("login = 'a'\npassword = '{PASSWORD}'\n");
    for (section, said) in [
        (format!("url = '{url}'"), "scheduler.roxy_wi.login: not set"),
        (
            format!("url = '{url}'\nlogin = 'a'"),
            "scheduler.roxy_wi.password: not set",
        ),
        (
            format!("url = '{url}'\n{user}users = [{{ login = 'b' }}]"),
            "scheduler.roxy_wi.users.0.password: not set",
        ),
        (user.clone(), "scheduler.roxy_wi.url: not set"),
        (format!("url = 'roxy'\n{user}"), "scheduler.roxy_wi.url: "),
        (
            format!("url = 'ftp://roxy'\n{user}"),
            "must begin with https://",
        ),
        (
            format!("url = 'https://me:{PASSWORD}@roxy'\n{user}"),
            "keys of their own",
        ),
        (
            format!("url = '{url}'\n{user}every = '0s'"),
            "scheduler.roxy_wi.every: from 1s to 24h",
        ),
        (
            format!("url = '{url}'\n{user}ca = 'x'"),
            "scheduler.roxy_wi.ca: certificates in PEM",
        ),
        (
            format!("url = '{url}'\n{user}groups = {{ lab = 'x' }}"),
            "scheduler.roxy_wi.groups.lab: not the number",
        ),
        (
            format!("url = '{url}'\n{user}groups = {{ 2 = ' ' }}"),
            "scheduler.roxy_wi.groups.2: a group needs a name",
        ),
        (
            format!("url = '{url}'\n{user}evry = '1m'"),
            "did you mean `scheduler.roxy_wi.every`?",
        ),
        (String::new(), "scheduler.roxy_wi.url is not set"),
    ] {
        std::fs::write(
            site.path("portwatch.toml"),
            format!("[scheduler.roxy_wi]\n{section}\n"),
        )
        .unwrap();
        let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
        assert!(code == 2 && err.contains(said), "{section}: {err}");
    }
    assert!(site.roxy_wi.world().requests.is_empty());
}
