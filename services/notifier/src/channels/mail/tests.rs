//! Mail that a real SMTP server takes, or does not; what it took is read by Python's email package.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod retried;
mod server;

use std::path::Path;

use futures_util::future::join_all;
use jiff::Timestamp;
use portwatch_domain::notification::Content;
use portwatch_domain::notification::retry::Failure;
use portwatch_schemas::{TraceParent, decode_content};
use tokio::net::TcpListener;

use portwatch_runtime::settings::List;

use super::*;
use crate::channels::Allowed;
use crate::settings::Settings;
use crate::settings::TemplateSettings;
use server::{Mode, PASSWORD, SmtpServer, USER};

const TO: &str = "Ops <ops@example.net>, night@example.net";
const LATER: Failure = Failure::Temporary { retry_after: None };

fn settings(url: &str, ca: &str, to: &str) -> ChannelSettings {
    ChannelSettings {
        name: "mail".to_owned(),
        kind: "mail".to_owned(),
        url: url.to_owned().into(),
        from: "Portwatch <portwatch@example.org>".to_owned(),
        to: to.to_owned(),
        ca: ca.to_owned(),
        ..ChannelSettings::default()
    }
}

/// This machine may be connected to.
fn here() -> Reach {
    let settings = Settings {
        allow: loopback(),
        ..Settings::default()
    };
    Reach::of(&settings).unwrap()
}

fn loopback() -> List<Allowed> {
    List(
        ["127.0.0.0/8", "::1"]
            .map(|net| net.parse().unwrap())
            .into(),
    )
}

fn made(server: &SmtpServer, to: &str) -> Channel {
    channel(
        &settings(&server.url(), &server.ca, to),
        Template::default(),
        &here(),
    )
    .unwrap()
}

fn message(example: &str, delivery: u128) -> Message {
    let file = format!("../../schemas/examples/notification.v1.{example}.json");
    let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    Message {
        delivery: Uuid::from_u128(delivery),
        at: Timestamp::now(),
        trace: TraceParent::new(7, 7),
        content: decode_content(&body).unwrap().1,
        thread: None,
    }
}

fn several(delivery: u128) -> Message {
    message("several-ports-of-a-named-host", delivery)
}

#[tokio::test]
async fn a_mail_arrives_whole_over_starttls_and_is_the_same_when_sent_again() {
    let Some(mut server) = SmtpServer::start("mail over STARTTLS", Mode::StartTls).await else {
        return;
    };
    let channel = made(&server, TO);
    let sent = channel.send(several(7)).await.unwrap();
    assert_eq!(sent.status, Some(250));
    let mail = server.next().await;
    assert_eq!(mail["tls"], true);
    assert_eq!(mail["user"], USER);
    assert_eq!(mail["from"], "portwatch@example.org");
    assert_eq!(
        mail["to"],
        serde_json::json!(["ops@example.net", "night@example.net"])
    );
    assert_eq!(mail["defects"], serde_json::json!([]));
    assert_eq!(mail["ascii"], true);
    let types = serde_json::json!(["multipart/alternative", "text/plain", "text/html"]);
    assert_eq!(mail["types"], types);
    let headers = &mail["headers"];
    let id = "<00000000-0000-0000-0000-000000000007@example.org>";
    assert_eq!(headers["message-id"], id);
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert_eq!(headers["from"], "Portwatch <portwatch@example.org>");
    assert_eq!(headers["to"], TO);
    assert_eq!(
        headers["subject"],
        "www.example.org: 4 changes (1 opened, 1 closed, 2 filtered)"
    );
    assert_eq!(headers["in-reply-to"], headers["references"]);
    assert!(
        headers["date"]
            .as_str()
            .unwrap()
            .contains("01 Mar 2026 12:00:03")
    );
    for part in ["text", "html"] {
        let text = mail[part].as_str().unwrap();
        assert!(
            text.contains("port 443/tcp (https) closed — it refuses connections"),
            "{text}"
        );
        assert!(text.contains("target dmz, group network, zone "), "{text}");
    }

    // After a crash it is sent again under the same id, and whatever is told of the host joins it.
    channel.send(several(7)).await.unwrap();
    assert_eq!(server.next().await["raw"], mail["raw"]);
    let mut later = several(8);
    let Content::Changes(notification) = &mut later.content else {
        panic!("changes");
    };
    notification.id = Uuid::from_u128(8);
    channel.send(later).await.unwrap();
    channel.send(message("zone-unattended", 9)).await.unwrap();
    let (same, other) = (server.next().await, server.next().await);
    assert_ne!(same["headers"]["message-id"], headers["message-id"]);
    assert_eq!(same["headers"]["references"], headers["references"]);
    assert_ne!(other["headers"]["references"], headers["references"]);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    for mode in [Mode::Tls, Mode::StartTls] {
        let Some(mut server) = SmtpServer::start("mail over TLS", mode).await else {
            return;
        };
        for (url, ca) in [
            (server.url(), ""),
            // The certificate is for localhost.
            (
                server.url().replace("localhost", "127.0.0.1"),
                server.ca.as_str(),
            ),
        ] {
            let channel = channel(&settings(&url, ca, TO), Template::default(), &here()).unwrap();
            let failed = channel.send(several(1)).await.unwrap_err();
            assert_eq!(failed.failure, LATER);
            assert!(failed.error.contains("certificate"), "{}", failed.error);
        }
        made(&server, TO).send(several(2)).await.unwrap();
        let mail = server.next().await;
        assert_eq!(mail["tls"], true);
        assert!(
            mail["raw"]
                .as_str()
                .unwrap()
                .contains("00000002@example.org")
        );
    }
}

#[tokio::test]
async fn without_tls_nothing_is_sent_unless_the_address_says_so() {
    let Some(mut server) = SmtpServer::start("mail without TLS", Mode::None).await else {
        return;
    };
    let url = server.url().replace("?tls=none", "");
    let with_tls = channel(&settings(&url, "", TO), Template::default(), &here()).unwrap();
    let failed = with_tls.send(several(1)).await.unwrap_err();
    assert_eq!(failed.failure, LATER);
    assert!(
        failed.error.starts_with("the server has no STARTTLS"),
        "{}",
        failed.error
    );
    made(&server, TO).send(several(2)).await.unwrap();
    let mail = server.next().await;
    assert_eq!((&mail["tls"], &mail["user"]), (&false.into(), &USER.into()));
}

#[tokio::test]
async fn a_wrong_password_is_told_in_words_and_never_shown() {
    let Some(server) = SmtpServer::start("mail with a wrong password", Mode::StartTls).await else {
        return;
    };
    let url = server.url_with("wr0ng-but-secret");
    let channel = channel(
        &settings(&url, &server.ca, TO),
        Template::default(),
        &here(),
    )
    .unwrap();
    let failed = channel.send(several(1)).await.unwrap_err();
    assert_eq!((failed.failure, failed.status), (LATER, Some(535)));
    assert_eq!(
        failed.error,
        "logging in with the url's user and password: the server answered 535: 5.7.8 not portwatch@example.org with …"
    );
    assert!(!format!("{:?}", settings(&url, "", TO)).contains("wr0ng"));
}

#[tokio::test]
async fn each_address_gets_it_once_whatever_becomes_of_the_others() {
    let Some(mut server) = SmtpServer::start("mail to several", Mode::Open).await else {
        return;
    };
    let got = |mail: &serde_json::Value| mail["to"].as_array().unwrap().len();

    let some = made(&server, "gone@example.net, ops@example.net");
    assert_eq!(some.send(several(1)).await.unwrap().status, Some(250));
    assert_eq!(got(&server.next().await), 1);

    let nobody = made(&server, "gone@example.net, gone@example.com");
    let failed = nobody.send(several(2)).await.unwrap_err();
    assert_eq!(
        (failed.failure, failed.status),
        (Failure::Permanent, Some(550))
    );
    assert_eq!(
        failed.error,
        "RCPT TO gone@example.net: the server answered 550: 5.1.1 nobody of that name (and 1 more)"
    );

    let later = made(
        &server,
        "ops@example.net, grey@example.net, gone@example.net",
    );
    let failed = later.send(several(3)).await.unwrap_err();
    assert_eq!((failed.failure, failed.status), (LATER, Some(451)));
    assert_eq!(
        server.next().await["to"],
        serde_json::json!(["ops@example.net"])
    );
    later.send(several(3)).await.unwrap();
    let mail = server.next().await;
    assert_eq!(mail["to"], serde_json::json!(["grey@example.net"]));
    assert!(
        mail["raw"]
            .as_str()
            .unwrap()
            .contains("Message-ID: <00000000-0000-0000-0000-000000000003@")
    );

    let full = made(&server, "full@example.net, ops@example.net");
    for _ in 0..2 {
        let failed = full.send(several(4)).await.unwrap_err();
        assert_eq!((failed.failure, failed.status), (LATER, Some(452)));
    }
    // The next mail is the one of the first attempt, then one of another delivery: there was no second.
    assert_eq!(got(&server.next().await), 1);
    full.send(several(5)).await.unwrap_err();
    let raw = server.next().await["raw"].to_string();
    assert!(raw.contains("000000000005@example.org"), "{raw}");
}

#[tokio::test]
async fn a_mail_that_is_refused_when_seen_is_given_up_and_one_that_is_put_off_is_not() {
    let Some(server) = SmtpServer::start("mail that is refused", Mode::Open).await else {
        return;
    };
    for (to, failure, status) in [
        ("spam@example.net", Failure::Permanent, 554),
        ("busy@example.net", LATER, 450),
    ] {
        let failed = made(&server, to).send(several(1)).await.unwrap_err();
        assert_eq!((failed.failure, failed.status), (failure, Some(status)));
    }
}

#[tokio::test]
async fn many_at_once_share_few_connections() {
    let Some(mut server) = SmtpServer::start("many mails", Mode::StartTls).await else {
        return;
    };
    let channel = made(&server, TO);
    let all = join_all((0..32).map(|n| channel.send(several(n)))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let (mut connections, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..32 {
        let mail = server.next().await;
        connections.push(mail["connection"].as_u64().unwrap());
        ids.push(mail["headers"]["message-id"].to_string());
    }
    ids.sort();
    ids.dedup();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(ids.len(), 32);
    assert!(connections.len() <= MOST_CONNECTIONS, "{connections:?}");
}

#[tokio::test]
async fn what_the_network_says_stays_text() {
    let Some(mut server) = SmtpServer::start("mail with hostile text", Mode::Open).await else {
        return;
    };
    let hostile =
        "<script>alert(1)</script>\r\nBcc: evil@example.com\r\n\r\n.\r\nQUIT\u{1b}[31m é\u{202e}";
    // What a service says is made safe where it is read; this is as if it were not.
    let said = format!("{{{{ '{hostile}' }}}}");
    let template = TemplateSettings {
        title: said.repeat(20),
        line: said.clone(),
        footer: said,
    };
    let template = Template::new(&template).unwrap();
    let channel = channel(
        &settings(&server.url(), "", "ops@example.net"),
        template,
        &here(),
    )
    .unwrap();
    channel.send(several(1)).await.unwrap();
    let mail = server.next().await;
    assert_eq!(mail["defects"], serde_json::json!([]));
    assert_eq!(mail["header_count"], 11, "{}", mail["headers"]);
    assert_eq!(mail["to"], serde_json::json!(["ops@example.net"]));
    assert!(mail["longest_line"].as_u64().unwrap() <= 998);
    let subject = mail["headers"]["subject"].as_str().unwrap();
    assert!(
        subject.chars().count() <= 200 && subject.ends_with('…'),
        "{subject}"
    );
    let html = mail["html"].as_str().unwrap();
    assert!(
        html.contains("<li>&lt;script&gt;alert(1)&lt;/script&gt;  Bcc: evil"),
        "{html}"
    );
    assert!(!html.contains("<script"), "{html}");
    for text in [subject, html, mail["text"].as_str().unwrap()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

#[tokio::test]
async fn a_silent_server_holds_nobody_for_long() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("smtp://a:{PASSWORD}@{}", silent.local_addr().unwrap());
    let url = url.replace(PASSWORD, "secret");
    let timeout = Duration::from_millis(200);
    let channel = with_timeout(
        &settings(&url, "", TO),
        Template::default(),
        &here(),
        timeout,
    )
    .unwrap();
    let failed = channel.send(several(1)).await.unwrap_err();
    assert_eq!(failed.failure, LATER);
    assert_eq!(failed.error, "not done within 200ms");
}

#[test]
fn wrong_settings_are_told_without_the_password() {
    let error = |url: &str, ca: &str, to: &str| {
        let made = channel(&settings(url, ca, to), Template::default(), &here());
        made.err().unwrap_or_default()
    };
    let url = "smtp://a:SECRET@mail.example.org";
    assert_eq!(error(url, "", TO), "");
    assert_eq!(error("smtps://mail.example.org/", "", "a@example.net"), "");
    assert_eq!(error("smtp://a:SECRET@[::1]:25?tls=none", "", TO), "");
    for (error, expected) in [
        (error("", "", TO), "url: write smtp://"),
        (
            error("https://a:SECRET@mail.example.org", "", TO),
            "url: write ",
        ),
        (error("smtp://a:SECRET@", "", TO), "url: write "),
        (
            error("smtp://a:SECRET@mail.example.org/x", "", TO),
            "url: write ",
        ),
        (
            error("smtp://a:SECRET/@mail.example.org", "", TO),
            "url: write ",
        ),
        (
            error("smtps://a:SECRET@mail.example.org?tls=none", "", TO),
            "url: write ",
        ),
        (
            error("smtp://a:SECRET@mail.example.org?tls=no", "", TO),
            "url: write ",
        ),
        (
            error("smtp://SECRET@mail.example.org", "", TO),
            "url: a user and a password",
        ),
        (
            error("smtp://a:SECRET@mail.example.org?tls=none", "", TO),
            "url: without TLS, the password",
        ),
        (error(url, "SECRET", TO), "ca: certificates in PEM"),
        (error(url, "", ""), "to: "),
        (error(url, "", "ops"), "to: write address@example.org"),
        (
            error(url, "", "ops@example.net\r\nBcc: a@example.net"),
            "to: write ",
        ),
        (
            error(url, "", "öps@example.net"),
            "to: öps@example.net: only ASCII",
        ),
    ] {
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("SECRET"), "{error}");
    }
    let two = ChannelSettings {
        from: TO.to_owned(),
        ..settings(url, "", TO)
    };
    let error = channel(&two, Template::default(), &here()).err().unwrap();
    assert_eq!(error, "from: one address is needed");
}
