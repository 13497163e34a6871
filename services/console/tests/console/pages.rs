//! The pages that Roxy-WI's users know.

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::access::Role;
use portwatch_domain::target::Target;

use crate::site::{Answered, Site, servers, target};

async fn form(site: &Site, token: &str, path: &str, body: &str) -> Answered {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    site.send(Method::POST, path, &headers, body).await
}

#[tokio::test]
async fn cards_have_the_words_of_roxy_wi() {
    let site = Site::new().await;
    let at: Timestamp = "2026-11-22T12:35:53Z".parse().unwrap();
    site.scanned(&servers()[0], 1, "198.18.0.1", "", at).await;
    let operator = site.token(Role::Operator, None).await;
    let page = site.get(&operator, "/portscanner").await;
    for word in [
        "Monitoring →",
        "Port scanner",
        "IP:",
        "Last scan:",
        "Total opened ports:",
        "Enabled",
        "Notify",
        "Keep history",
        "Run scan",
        "lb-1",
        "198.18.0.1",
    ] {
        assert!(page.text.contains(word), "{word} is not in {}", page.text);
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let viewer = site.token(Role::Viewer, None).await;
    let page = site.get(&viewer, "/portscanner").await.text;
    assert!(
        !page.contains("Run scan") && page.contains(" disabled>"),
        "{page}"
    );
}

#[tokio::test]
async fn a_box_that_is_ticked_is_set_and_no_other() {
    let site = Site::new().await;
    let token = site.token(Role::Operator, None).await;
    let number = site.number(&servers()[0]).await;
    // Somebody else has switched history off since the page was made.
    let path = "/api/v1/targets/198.18.0.1/switches";
    let set = site
        .ask(&token, Method::PATCH, path, r#"{"history":false}"#)
        .await;
    assert_eq!(set.status, 200);
    let path = format!("/portscanner/{number}/switches?search=lb%201&page=1");
    let back = form(&site, &token, &path, "shown=111&enabled=on&history=on").await;
    assert_eq!(back.status, 303);
    let to = back.headers["location"].to_str().unwrap();
    let expected = format!("/portscanner?search=lb%201&page=1#server-{number}");
    assert_eq!(to, expected, "back to where the card is");
    let now = site
        .store
        .target_state(servers()[0].id)
        .await
        .unwrap()
        .unwrap();
    let now = now.target.switches;
    assert!(now.enabled && !now.notify && !now.history, "{now:?}");
    let wrong = form(&site, &token, &path, "shown=1").await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn the_history_is_in_pages_of_25_and_searched() {
    let site = Site::new().await;
    let listed = &servers()[0];
    let at: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    for run in 1..=30 {
        let open = if run % 2 == 0 { "22,80" } else { "22" };
        let minutes = SignedDuration::from_mins(i64::try_from(run).unwrap());
        site.scanned(listed, run, "198.18.0.1", open, at + minutes)
            .await;
    }
    let token = site.token(Role::Viewer, None).await;
    let number = site.number(listed).await;
    let page = async |query: &str| {
        site.get(&token, &format!("/portscanner/{number}{query}"))
            .await
            .text
    };
    let first = page("").await;
    let words = [
        "Status",
        "Host",
        "Port",
        "Possible service name",
        "Date",
        "Time",
        "OPENED",
        "CLOSED",
        "ssh",
    ];
    for word in &words[..8] {
        assert!(first.contains(word), "{word} is not in {first}");
    }
    let rows = |page: &str| page.matches("<tr><td>").count();
    assert_eq!(rows(&first), 25);
    assert!(
        first.contains("12:30:00") && !first.contains("12:01:00"),
        "newest first"
    );
    let last = page("?page=2").await;
    assert!(last.contains("12:01:00"), "{last}");
    let searched = page("?search=ssh").await;
    assert_eq!(rows(&searched), 1, "{searched}");
    assert!(
        page("?search=nothing%20like%20it")
            .await
            .contains("None of")
    );
    assert_eq!(rows(&page("?page=99").await), rows(&last), "the last page");
}

#[tokio::test]
async fn names_that_are_html_are_text() {
    let hostile = "<img src=x onerror=alert(1)>";
    let named = Target {
        group: format!("{hostile}\"'"),
        tags: vec![hostile.to_owned()],
        ..target(hostile, "x", "198.18.0.1")
    };
    let site = Site::with(std::slice::from_ref(&named)).await;
    let token = site.token(Role::Operator, None).await;
    let number = site.number(&named).await;
    let searched = format!("/portscanner?search={}", "%22%3E%3Cimg");
    for path in [
        "/portscanner".to_owned(),
        format!("/portscanner/{number}"),
        searched,
    ] {
        let page = site.get(&token, &path).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("<img"), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn many_servers_are_in_pages_and_searched() {
    let many: Vec<_> = (0..60)
        .map(|n| target(&format!("srv-{n:02}"), "east", &format!("198.18.1.{n}")))
        .collect();
    let site = Site::with(&many).await;
    let token = site.token(Role::Viewer, None).await;
    let page = async |query: &str| site.get(&token, &format!("/portscanner{query}")).await.text;
    let cards = |page: &str| page.matches("<section").count();
    let first = page("").await;
    assert_eq!(cards(&first), 24);
    assert!(first.contains("Page 1 of 3"), "{first}");
    assert_eq!(cards(&page("?page=3").await), 12);
    let found = page("?search=SRV-07").await;
    assert_eq!(cards(&found), 1);
    assert_eq!(cards(&page("?search=198.18.1.5").await), 11);
}

#[tokio::test]
async fn a_scan_that_waits_says_so_and_looks_again() {
    let site = Site::new().await;
    let token = site.token(Role::Operator, None).await;
    let number = site.number(&servers()[0]).await;
    let asked = form(&site, &token, &format!("/portscanner/{number}/scan"), "").await;
    assert_eq!(asked.status, 303);
    let path = asked.headers["location"].to_str().unwrap().to_owned();
    let page = site.get(&token, &path).await.text;
    assert!(
        page.contains("Waits for a scheduler") && page.contains("http-equiv=\"refresh\""),
        "{page}"
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_on_a_page() {
    let site = Site::new().await;
    let token = site.token(Role::Operator, None).await;
    let number = site.number(&servers()[0]).await;
    let switches = format!("/portscanner/{number}/switches");
    let answers = [
        (400, site.get(&token, "/portscanner?page=x").await),
        (
            400,
            site.get(&token, &format!("/portscanner/{number}?page=-1"))
                .await,
        ),
        (400, form(&site, &token, &switches, "enabled=on").await),
        (400, form(&site, &token, &switches, "shown=1").await),
        (404, site.get(&token, "/portscanner/99").await),
        (
            404,
            site.get(&token, &format!("/portscanner/{number}/scan/x"))
                .await,
        ),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        assert!(answer.text.contains("Not possible"), "{}", answer.text);
    }
}
