//! Logging in to the pages, staying so, and being kept out.

use axum::http::Method;
use futures_util::future::join_all;
use portwatch_domain::access::Role;
use serde_json::json;

use crate::site::{Answered, PASSWORD, Site};

const OWN: [(&str, &str); 2] = [
    ("sec-fetch-site", "same-origin"),
    ("content-type", "application/x-www-form-urlencoded"),
];

async fn log_in(site: &Site, password: &str, next: &str) -> Answered {
    let body = format!(
        "login=anna&password={}&next={next}",
        password.replace(' ', "+")
    );
    site.send(Method::POST, "/login", &OWN, &body).await
}

fn cookie(answer: &Answered) -> String {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_is_logged_in_until_it_logs_out() {
    let site = Site::new().await;
    site.user("anna", Role::Operator, Some(&["east"])).await;
    let answer = log_in(&site, PASSWORD, "/portscanner/7").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.headers["location"], "/portscanner/7");
    let set = answer.headers["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"), "it is plain HTTP");

    let cookie = cookie(&answer);
    let with = [("cookie", cookie.as_str())];
    let page = site.send(Method::GET, "/portscanner", &with, "").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("lb-1") && page.text.contains("anna"),
        "{}",
        page.text
    );

    // In its name another site changes nothing, whatever the browser sends along.
    let api = r#"{"notify":false}"#;
    for site_name in ["cross-site", "same-site", "none"] {
        let headers = [with[0], ("sec-fetch-site", site_name)];
        let path = "/api/server/portscanner/198.18.0.1";
        let refused = site.send(Method::POST, path, &headers, api).await;
        assert_eq!(refused.status, 403, "{site_name}");
        let refused = site.send(Method::POST, "/logout", &headers, "").await;
        assert_eq!(refused.status, 403, "{site_name}");
    }
    let own = [with[0], OWN[0]];
    let set = site
        .send(
            Method::PATCH,
            "/api/v1/targets/198.18.0.1/switches",
            &own,
            api,
        )
        .await;
    assert_eq!(set.status, 200, "{}", set.text);

    let gone = site.send(Method::POST, "/logout", &own, "").await;
    assert_eq!(gone.status, 303);
    assert!(
        gone.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    let page = site.send(Method::GET, "/portscanner", &with, "").await;
    assert_eq!(page.status, 303, "the token itself is gone");
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_is_for_tls_alone() {
    let site = Site::new().await;
    site.user("anna", Role::Viewer, None).await;
    let headers = [OWN[0], OWN[1], ("x-forwarded-proto", "https")];
    let body = format!("login=anna&password={}", PASSWORD.replace(' ', "+"));
    let answer = site.send(Method::POST, "/login", &headers, &body).await;
    assert!(
        answer.headers["set-cookie"]
            .to_str()
            .unwrap()
            .ends_with("; Secure")
    );
}

#[tokio::test]
async fn who_guesses_waits() {
    let site = Site::new().await;
    site.user("anna", Role::Viewer, None).await;
    for _ in 0..5 {
        let answer = log_in(&site, "wrong", "").await;
        assert_eq!(answer.status, 401);
        assert!(answer.text.contains("the login or the password is wrong"));
    }
    // The waits double, so that even on a slow machine some of these come too soon.
    let body = json!({"login": "anna", "password": "wrong"}).to_string();
    let mut refused = 0;
    for _ in 0..8 {
        let answer = site.send(Method::POST, "/api/login", &[], &body).await;
        if answer.status == 429 {
            refused += 1;
            let seconds = answer.headers["retry-after"].to_str().unwrap();
            assert!((1..=61).contains(&seconds.parse::<u32>().unwrap()));
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_login_from_another_site_is_refused() {
    let site = Site::new().await;
    site.user("anna", Role::Viewer, None).await;
    let headers = [("sec-fetch-site", "cross-site"), OWN[1]];
    let body = format!("login=anna&password={PASSWORD}");
    let answer = site.send(Method::POST, "/login", &headers, &body).await;
    assert_eq!(answer.status, 403);
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn where_nobody_is_a_user_the_page_says_how_to_make_one() {
    let site = Site::new().await;
    let page = site.send(Method::GET, "/login", &[], "").await;
    assert!(
        page.text.contains("portwatch user add NAME"),
        "{}",
        page.text
    );
    site.user("anna", Role::Viewer, None).await;
    let page = site.send(Method::GET, "/login", &[], "").await;
    assert!(!page.text.contains("portwatch user add"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_that_come_all_at_once_are_no_more_than_others() {
    let site = Site::new().await;
    site.user("anna", Role::Viewer, None).await;
    let body = json!({"login": "anna", "password": "wrong"}).to_string();
    let guesses = (0..60).map(|_| site.send(Method::POST, "/api/login", &[], &body));
    let answers = join_all(guesses).await;
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    // Five are free, and four are checked at once; on a slow machine the first waits end meanwhile.
    assert!((5..20).contains(&tried), "{tried} of 60 were tried");
}
